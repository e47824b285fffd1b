"""Numbers in the sentences of findings."""

import math

import pytest

from worker.diagnostics.symptom import number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.25, "0.25"),
        (1490.0, "1,490"),
        (99_449.0, "99,400"),
        (123456.0, "1.2e5"),
        (2e-7, "2.0e-7"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
    ],
)
def test_every_number_has_a_text(value: float, text: str) -> None:
    assert number(value) == text
