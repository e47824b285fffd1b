"""Which part of a file a `Range` header asks for, and who has the whole already."""

import pytest

from api.http.files import wanted
from api.http.responses import is_known
from shared.errors import RangeNotSatisfiable


@pytest.mark.parametrize(
    ("header", "sent"),
    [
        ("bytes=0-4", "bytes=0-4"),
        ("BYTES=0-4", "bytes=0-4"),
        ("bytes=5-", "bytes=5-9"),
        ("bytes=5-99", "bytes=5-9"),
        ("bytes=-3", "bytes=7-9"),
        ("bytes=-99", "bytes=0-9"),
        ("bytes= 0-1 ,, 4-5,", "bytes=0-1,4-5"),
        ("bytes=0-1,99-", "bytes=0-1"),
    ],
)
def test_what_lies_in_the_file_is_sent(header: str, sent: str) -> None:
    assert wanted(header, 10) == sent


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "foo", "bytes", "bytes=", "bytes=,", "bytes=-", "bytes=x-y", "bytes=1"),
        *("bytes=4-2", "bytes=0-1,4-2", "bytes=0-1,foo", "bytes=1-2-3", "bytes=¹-", "items=0-4"),
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_what_is_malformed_or_of_another_unit_is_as_good_as_none(header: str | None) -> None:
    assert wanted(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=-0", "bytes=99-100,50-"])
def test_what_lies_outside_is_refused_with_the_size(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable, match="10 bytes") as caught:
        wanted(header, 10)
    assert caught.value.data == {"bytes": 10}


def test_an_empty_file_has_no_range() -> None:
    with pytest.raises(RangeNotSatisfiable):
        wanted("bytes=0-", 0)


def test_too_many_ranges_are_refused() -> None:
    eight = ",".join(f"{n}-{n}" for n in range(8))
    assert wanted(f"bytes={eight}", 10) == f"bytes={eight}"
    with pytest.raises(RangeNotSatisfiable, match="at most 8"):
        wanted(f"bytes={eight},9-9", 10)


@pytest.mark.parametrize("header", ['"a"', 'W/"a"', '"b", W/"a"', '"b","a"', "*", " * "])
def test_a_client_that_has_it_says_so(header: str) -> None:
    assert is_known(header, '"a"')


@pytest.mark.parametrize("header", [None, "", "a", '"b"', '"aa"', 'x"', '"*"'])
def test_a_client_that_has_something_else_does_not(header: str | None) -> None:
    assert not is_known(header, '"a"')
