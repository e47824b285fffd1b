"""How predicted starts, durations and the sentences of findings look."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.dashboard.formats import duration, expected, label, sentence, without_command


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


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0 s"), (0.004, "< 0.1 s"), (0.05, "0.1 s"), (75, "1 m 15 s")]
)
def test_a_short_duration_is_not_nothing(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_headline_has_no_command_on_a_page() -> None:
    headline = "`l2` is 0. Try 1: `trainshed fork job_1 --finding fnd_1`"
    assert without_command(headline) == "`l2` is 0. Try 1."
    assert without_command("Remove the duplicates.") == "Remove the duplicates."


@pytest.mark.parametrize(
    ("text", "expected_text"),
    [
        ("the steps change", "The steps change"),
        ("learning_rate 900 is", "learning_rate 900 is"),
        ("94 % of the units", "94 % of the units"),
        ("body.hidden1 is", "body.hidden1 is"),
    ],
)
def test_a_sentence_begins_with_a_capital(text: str, expected_text: str) -> None:
    assert sentence(text) == expected_text


@pytest.mark.parametrize(
    ("job", "text"),
    [
        ({"name": "mine", "id": "job_01"}, "mine"),
        (
            {
                "name": "",
                "id": "job_0abcdef",
                "spec": {"architecture": {"name": "mlp"}, "dataset": {"name": "digits"}},
            },
            "mlp on digits …abcdef",
        ),
        (
            {"name": "", "job": "job_0abcdef", "architecture": "mlp", "dataset": "digits"},
            "mlp on digits …abcdef",
        ),
        ({"name": None, "id": "job_0abcdef", "spec": None}, "job …abcdef"),
    ],
)
def test_a_job_without_a_name_is_called_by_what_it_trains(job: dict[str, Any], text: str) -> None:
    assert label(job) == text
