"""How predicted starts look."""

from datetime import UTC, datetime, timedelta

import pytest

from api.dashboard.formats import expected


def _in(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize(
    ("p50", "p90", "text"),
    [
        (200, 490, "in 3 m – 8 m"),
        (200, 205, "in 3 m"),
        (-5, 3, "now"),
        (45, None, "in 40 s – unknown"),
        (7200, 300_000, "in 2.0 h – 3.5 d"),
    ],
)
def test_a_predicted_start_is_a_range(p50: float, p90: float | None, text: str) -> None:
    assert expected({"p50": _in(p50), "p90": None if p90 is None else _in(p90)}) == text


def test_an_unknown_start_is_a_dash() -> None:
    assert expected(None) == "–"
    assert expected({"p50": None, "p90": None}) == "–"
