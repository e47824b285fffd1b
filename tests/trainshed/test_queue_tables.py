"""The queue, the devices and explanations as they are printed, and their refresh."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console, RenderableType

from trainshed.commands import queue as commands
from trainshed.formatting import seconds_range, time_range
from trainshed.queue_tables import devices_view, explanation_view, queue_view

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _at(minutes: float) -> str:
    return (NOW + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def _text(view: RenderableType) -> str:
    console = Console(width=200, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(view)
    return captured.get()


def _entry(position: int, **changes: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"position": position, "job": f"job_{position}", "owner": "ada"}
    entry |= {"rank": "normal", "waiting_seconds": 130.0, "reason": "devices"}
    return entry | {"starts": {"p50": _at(5), "p90": _at(20)}} | changes


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0, 0.4, "now"),
        (2, 9, "in 2–9 s"),
        (0, 100, "in 0–100 s"),
        (300, 1200, "in 5–20 min"),
        (310, 330, "in about 6 min"),
        (3000, 10_000, "in 0–3 h"),
        (86_400, 5 * 86_400, "in 1–5 d"),
    ],
)
def test_a_range_has_the_unit_of_its_end(low: float, high: float, text: str) -> None:
    assert seconds_range(low, high) == text


def test_a_time_without_a_limit_or_unknown_says_so() -> None:
    assert time_range(None, None, NOW) == "unknown"
    assert time_range(_at(5), None, NOW) == "in 5 min or later"
    assert time_range(_at(-5), _at(-1), NOW) == "now"


def test_the_queue_shows_when_jobs_start() -> None:
    rows = [_entry(1, reason=None), _entry(2), _entry(3, starts={"p50": None, "p90": None})]
    text = _text(queue_view({"data": rows, "shares": [], "waiting": 3}, now=NOW))
    first, second, third = (line for line in text.splitlines() if "job_" in line)
    assert " now " in first
    assert "in 5–20 min" in second
    assert "unknown" in third


def test_devices_show_when_their_jobs_end() -> None:
    job = {"job": "job_1", "owner": "ada", "ends": {"p50": _at(60), "p90": _at(180)}}
    memory = {"total": None, "jobs": None, "free": None, "foreign": None}
    device = {"id": "box/cpu:0", "model": "CPU", "state": "full", "memory_mib": memory}
    text = _text(devices_view([device | {"jobs": [job]}], now=NOW))
    assert "job_1 of ada, ends in 1–3 h" in text


def _explanation(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"job": "job_1", "state": "queued", "history": [], "position": 2}
    found |= {"summary": "All devices are busy.", "reason": "devices"}
    found |= {"starts": {"p50": _at(5), "p90": _at(20)}, "seconds": {"p50": 90.0, "p90": 200.0}}
    return found | {"basis": {"kind": "seen", "attempts": 12}} | changes


def test_an_explanation_shows_the_start_and_how_long_the_job_takes() -> None:
    text = _text(explanation_view(_explanation(), now=NOW))
    assert "starts in 5–20 min" in text
    assert "takes about 1 min, likely less than 3 min (from 12 jobs of this kind)" in text
    unknown = {"seconds": {"p50": None, "p90": None}, "basis": {"kind": "unknown", "attempts": 0}}
    assert "takes" not in _text(explanation_view(_explanation(**unknown), now=NOW))


def test_an_explanation_shows_changes_of_the_job_and_forks_in_its_place() -> None:
    batch = {"op": "replace", "path": "/training/batch_size", "value": 16}
    changes = [
        {"patch": {"priority": "high"}, "via": "patch"},
        {"patch": {"allow_inexact": True}, "via": "patch"},
        {"patch": [batch], "via": "fork", "memory_mib": 900, "cancel": "job_1"},
    ]
    text = _text(explanation_view(_explanation(would_start_now_if=changes), now=NOW))
    assert "starts now with priority=high\n" in text
    assert "starts now with allow_inexact=true\n" in text
    assert "starts now with training.batch_size=16, as a fork in place of this job" in text


def test_a_watched_explanation_ends_with_its_job(monkeypatch: pytest.MonkeyPatch) -> None:
    states = iter(["queued", "running", "succeeded", "never read"])
    monkeypatch.setattr(commands, "REFRESH_SECONDS", 0.0)
    commands._show(
        lambda: _explanation(state=next(states)),
        explanation_view,
        watch=True,
        as_json=False,
        is_last=commands._has_ended,
    )
    assert next(states) == "never read"
