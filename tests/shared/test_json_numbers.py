import math

import pytest

from shared.json_numbers import json_number


@pytest.mark.parametrize(
    ("value", "carried"),
    [
        (1.5, 1.5),
        (-0.25, -0.25),
        (None, None),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
    ],
)
def test_what_is_not_finite_is_carried_as_text(
    value: float | None, carried: float | str | None
) -> None:
    assert json_number(value) == carried
