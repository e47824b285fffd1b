"""The commands compare and leaderboard, with responses as the service sends them."""

import json
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.fakes.http_service import JOB_ID, http_service, send
from trainshed.cli import main

OTHER_ID = JOB_ID[:-1] + ("0" if JOB_ID[-1] != "0" else "1")
JOBS = [
    {"id": JOB_ID, "name": "slow", "owner": "ada", "state": "succeeded"},
    {"id": OTHER_ID, "name": "fa\x1b[31mst", "owner": "ada", "state": "failed"},
]
COMPARISON: dict[str, Any] = {
    "object": "comparison",
    "jobs": JOBS,
    "differences": [
        {"pointer": "/optimizer/learning_rate", "values": {JOB_ID: 0.01, OTHER_ID: 0.5}},
        {"pointer": "/regularizers/l2", "values": {JOB_ID: {"weight": 0.1}}},
    ],
    "metrics": [
        {
            "name": "val_accuracy",
            "split": "validation",
            "values": {
                JOB_ID: {"final": 0.8, "best": 0.9, "best_epoch": 2},
                OTHER_ID: {"final": 0.7, "best": 0.75, "best_epoch": 3},
            },
            "better": [JOB_ID],
        },
        {
            "name": "learning_rate",
            "split": None,
            "values": {OTHER_ID: {"final": "nan", "best": None, "best_epoch": None}},
            "better": [],
        },
    ],
}
VALUES: list[float | str] = [0.0, "nan", 0.5, 1.0]
POINTS = [{"step": n, "epoch": n, "value": value} for n, value in enumerate(VALUES, start=1)]
LEADERBOARD: dict[str, Any] = {
    "object": "list",
    "data": [
        {
            "rank": rank,
            "job": job["id"],
            "name": job["name"],
            "state": job["state"],
            "value": 0.9,
            "epoch": 2,
            "test": {"test_accuracy": 0.85, "test_loss": 1.0},
        }
        for rank, job in enumerate(JOBS, start=1)
    ],
    "has_more": False,
    "metric": {"name": "val_accuracy", "split": "validation"},
    "left_out": {"failed": 2, "no_value": 1},
    "differences": [{"pointer": "/seed", "values": {JOB_ID: 1, OTHER_ID: 2}}],
}


LEFT_OUT: dict[str, Any] = {
    "object": "list",
    "data": [
        {**JOBS[0], "job": JOB_ID, "reason": "no_value", "ending": None},
        {**JOBS[1], "job": OTHER_ID, "reason": "failed", "ending": "failed (diverged): NaN"},
    ],
    "has_more": False,
    "metric": {"name": "val_accuracy", "split": "validation"},
}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "k" * 20)
    monkeypatch.delenv("COLUMNS", raising=False)


def _run(*arguments: str, **changes: Any) -> tuple[int, list[str]]:
    """Run a command; return the exit code and the requested addresses."""
    requested: list[str] = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        requested.append(handler.path)
        path = handler.path.partition("?")[0]
        if path == "/v1/compare":
            answer: Any = {**COMPARISON, **changes}
        elif path == "/v1/leaderboard/left-out":
            answer = {**LEFT_OUT, **changes}
        elif path == "/v1/leaderboard":
            answer = {**LEADERBOARD, **changes}
        else:
            series = {"name": "val_accuracy", "stage": "training", "points": POINTS}
            answer = {"object": "list", "data": [series], "has_more": False}
        send(handler, 200, json.dumps(answer).encode())

    with http_service(respond) as client:
        return main(["--url", client.url, *arguments]), requested


def test_compare_shows_differences_best_values_and_curves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, requested = _run("compare", JOB_ID, OTHER_ID)
    assert code == 0
    assert requested[0] == f"/v1/compare?jobs={JOB_ID}%2C{OTHER_ID}"
    out = capsys.readouterr().out
    assert "\x1b" not in out
    lines = {line.split("│")[1].strip(): line for line in out.splitlines() if line.startswith("│")}
    assert "0.01" in lines["/optimizer/learning_rate"]
    assert "–" in lines["/regularizers/l2"], "the second job has no such field"
    assert "90.00 % (2) *" in lines["val_accuracy"]
    assert "75.00 % (3)  " in lines["val_accuracy"], "without a mark"
    assert "nan" in lines["learning_rate"]
    assert "▁×▅█" in lines["slow"]


def test_compare_names_the_metrics_that_can_be_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("compare", JOB_ID, OTHER_ID, "--metric", "val_acc")[0] == 2
    assert "Recorded: val_accuracy, learning_rate" in capsys.readouterr().err


@pytest.mark.parametrize("jobs", [[], [JOB_ID]])
def test_compare_needs_two_jobs(jobs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("compare", *jobs)[0] == 2
    assert "Name 2 to 10 jobs" in capsys.readouterr().err


def test_equal_jobs_without_metrics_are_said_to_be_equal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _run("compare", JOB_ID, OTHER_ID, differences=[], metrics=[])[0] == 0
    assert "the specifications are equal" in capsys.readouterr().out


def test_leaderboard_shows_ranks_test_values_and_differences(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, requested = _run("leaderboard", "digits", "--limit", "5")
    assert code == 0
    assert requested == ["/v1/leaderboard?dataset=digits&limit=5"]
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "test_accuracy" in out
    assert "test_loss" not in out
    assert "85.00 %" in out
    assert "/seed" in out
    assert "left out: 2 failed, 1 without val_accuracy; --left-out lists them" in out


def test_jobs_without_a_rank_are_listed_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    code, requested = _run("leaderboard", "digits", "--left-out", "--limit", "5")
    assert code == 0
    assert requested == ["/v1/leaderboard/left-out?dataset=digits&limit=5"]
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "no value of val_accuracy" in out
    assert "failed (diverged): NaN" in out


def test_empty_leaderboard_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("leaderboard", "digits", data=[], differences=[])[0] == 0
    assert "no job on this data set has val_accuracy yet" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["compare", JOB_ID, OTHER_ID], ["leaderboard", "digits"]])
def test_json_is_what_the_service_sent(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(*command, "--json")[0] == 0
    assert json.loads(capsys.readouterr().out) in (COMPARISON, LEADERBOARD)
