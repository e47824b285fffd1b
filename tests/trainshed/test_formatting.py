from datetime import timedelta

import pytest

from trainshed.formatting import duration, file_size, number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1e-5, "1e-05"),
        (0.00025, "0.00025"),
        (-0.0001234, "-0.000123"),
        (0.1755382, "0.1755"),
        (2.3025, "2.3025"),
        (504.5123, "504.5"),
        (3541.7476, "3,541.7"),
        (1.5e30, "1.5e+30"),
        (7, "7"),
        ("nan", "nan"),
    ],
)
def test_number_is_short_and_reads_as_0_only_if_it_is_0(value: float | str, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"), [(267, "267 B"), (39_117, "38.2 KiB"), (2**21, "2.0 MiB")]
)
def test_file_size_has_a_unit_that_fits(size_bytes: int, text: str) -> None:
    assert file_size(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (59.9, "59 s"), (60, "1 min"), (7199, "1 h"), (86_400, "1 d"), (1e7, "115 d")],
)
def test_a_duration_is_shown_in_its_largest_unit(seconds: float, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text
