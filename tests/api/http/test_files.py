"""Which parts of a file are sent for a `Range` header."""

import pytest

from api.http.files import satisfiable_ranges
from shared.errors import RangeNotSatisfiable


@pytest.mark.parametrize(
    ("header", "ranges"),
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
def test_ranges_are_clipped_to_the_file(header: str, ranges: str) -> None:
    assert satisfiable_ranges(header, 10) == ranges


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "foo", "bytes", "bytes=", "bytes=,", "bytes=-", "bytes=x-y", "bytes=1"),
        *("bytes=4-2", "bytes=0-1,4-2", "bytes=0-1,foo", "bytes=1-2-3", "bytes=¹-", "items=0-4"),
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_malformed_header_and_other_units_are_ignored(header: str | None) -> None:
    assert satisfiable_ranges(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=-0", "bytes=99-100,50-"])
def test_ranges_outside_the_file_are_refused_with_its_size(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable, match="10 bytes") as caught:
        satisfiable_ranges(header, 10)
    assert caught.value.data == {"bytes": 10}


def test_empty_file_has_no_satisfiable_range() -> None:
    with pytest.raises(RangeNotSatisfiable):
        satisfiable_ranges("bytes=0-", 0)


def test_too_many_ranges_are_refused() -> None:
    eight = ",".join(f"{n}-{n}" for n in range(8))
    assert satisfiable_ranges(f"bytes={eight}", 10) == f"bytes={eight}"
    with pytest.raises(RangeNotSatisfiable, match="at most 8"):
        satisfiable_ranges(f"bytes={eight},9-9", 10)
