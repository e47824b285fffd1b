"""Metrics of several jobs side by side, and what each metric is."""

import json
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.fakes.http_service import http_service, send
from trainshed.cli import main

SLOW, FAST = "job_01m847ypybr28kppjvjqwjja05", "job_01m847ypybr28kppjvjqwjja06"
NAMES = {SLOW: "slow", FAST: "fast"}


def _series(name: str, *values: float | str, split: str = "validation") -> dict[str, Any]:
    points = [{"epoch": n, "value": v} for n, v in enumerate(values, start=1)]
    return {"name": name, "split": split, "stage": "training", "points": points}


SERIES = {
    SLOW: [
        _series("val_loss", 0.5, 0.25, 0.75),
        _series("val_accuracy", 0.5, 0.75),
        _series("learning_rate", 0.5, 0.25),
        _series("test_accuracy", 0.5, split="test"),
    ],
    FAST: [
        _series("val_loss", "nan", 0.5, 0.75),
        _series("val_accuracy", 0.875, 0.75),
        _series("learning_rate", 1.0, 0.5),
        _series("val_top_5_accuracy", "nan"),
    ],
}
DECLARED = {
    "val_loss": {"direction": "lower", "unit": "loss", "summary": "The loss."},
    "val_accuracy": {"direction": "higher", "unit": "fraction", "summary": "How often."},
    "test_accuracy": {"direction": "higher", "unit": "fraction", "summary": "How often."},
    "val_top_{k}_accuracy": {"direction": "higher", "unit": "fraction", "summary": "Among k."},
    "learning_rate": {"direction": None, "unit": "1", "summary": "The rate."},
}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "k" * 20)
    monkeypatch.delenv("COLUMNS", raising=False)


def _run(*arguments: str) -> int:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        if path == "/v1/catalog":
            body: Any = {"metrics": DECLARED}
        elif path.endswith("/metrics"):
            body = {"data": SERIES[path.split("/")[3]]}
        else:
            job_id = path.rpartition("/")[2]
            body = {"id": job_id, "name": NAMES[job_id]}
        send(handler, 200, json.dumps(body).encode())

    with http_service(respond) as client:
        return main(["--url", client.url, "metrics", *arguments])


def _rows(out: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines()]


def test_jobs_are_compared_by_their_best_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(SLOW, FAST) == 0
    out = capsys.readouterr().out
    rows = _rows(out)
    assert ["val_loss", "0.2500 (2) *", "0.5000 (2)"] in rows
    assert ["val_accuracy", "0.7500 (2)", "0.8750 (1) *"] in rows
    assert ["learning_rate", "0.2500 (2)", "0.5000 (2)"] in rows
    assert ["test_accuracy", "0.5000", ""] in rows
    assert ["val_top_5_accuracy", "", "nan (1)"] in rows
    assert out.index("slow") < out.index("fast")


def test_compared_jobs_as_json_are_series_by_id(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(SLOW, FAST, "--json") == 0
    assert json.loads(capsys.readouterr().out) == SERIES


def test_metrics_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--explain") == 0
    rows = _rows(capsys.readouterr().out)
    assert ["val_loss", "lower", "loss", "The loss."] in rows
    assert ["learning_rate", "", "1", "The rate."] in rows


def test_metrics_of_a_job_are_explained_by_their_own_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _run(FAST, "--explain", "--json") == 0
    explained = json.loads(capsys.readouterr().out)
    assert [*explained] == [series["name"] for series in SERIES[FAST]]
    assert explained["val_top_5_accuracy"]["summary"] == "Among k."


def test_one_metric_is_explained_and_an_unknown_name_gets_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _run("--explain", "--name", "val_top_3_accuracy") == 0
    assert "Among k." in capsys.readouterr().out
    assert _run("--explain", "--name", "Val_acc") == 4
    assert "Did you mean 'val_accuracy'?" in capsys.readouterr().err


def test_without_a_job_metrics_says_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run() == 2
    assert "--explain" in capsys.readouterr().err
