"""The comparison of `If-None-Match` with an ETag."""

import pytest

from api.http.responses import matches_etag


@pytest.mark.parametrize("header", ['"a"', 'W/"a"', '"b", W/"a"', '"b","a"', "*", " * "])
def test_header_that_lists_the_etag_matches(header: str) -> None:
    assert matches_etag(header, '"a"')


@pytest.mark.parametrize("header", [None, "", "a", '"b"', '"aa"', 'x"', '"*"'])
def test_header_without_the_etag_does_not_match(header: str | None) -> None:
    assert not matches_etag(header, '"a"')
