"""Numbers in JSON."""

import math

import pytest

from shared.json_numbers import json_number


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1.5, 1.5),
        (-0.25, -0.25),
        (None, None),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
    ],
)
def test_value_that_is_not_finite_is_written_as_a_string(
    value: float | None, written: float | str | None
) -> None:
    assert json_number(value) == written
