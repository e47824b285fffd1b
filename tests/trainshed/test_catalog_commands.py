"""The commands `catalog`, `preview`, `events` and `--version`."""

import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

import trainshed
from tests.fakes.http_service import http_service, request_body, send
from trainshed.cli import main

JOB = "job_01m847ypybr28kppjvjqwjja05"
RATE = {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.5, "description": "r"}
ADAM = {
    "summary": "Adaptive.",
    "source": "A paper",
    "parameters": {
        "properties": {"rate": RATE, "units": {"type": "integer"}},
        "required": ["units"],
    },
}
CATALOG = {
    "optimizers": {"adam": ADAM},
    "losses": {"l2": {"summary": "Squares.", "source": "", "parameters": {}}},
    "metrics": {"val_loss": {"summary": "The loss.", "direction": "lower", "unit": "loss"}},
}
EVENTS = [
    {"id": 1, "type": "state", "at": "2026-01-02T03:04:05.6Z", "data": {"state": "queued"}},
    {"id": 2, "type": "phase", "at": "2026-01-02T03:04:06.6Z", "data": {"phase": "evaluating"}},
]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "k" * 20)
    monkeypatch.delenv("COLUMNS", raising=False)


def _run(*arguments: str, bodies: list[Any] | None = None) -> int:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        if handler.command == "POST":
            assert bodies is not None
            bodies.append(json.loads(request_body(handler)))
            send(handler, 200, b"a picture")
        else:
            page = {"data": EVENTS, "has_more": False}
            body = page if "/events" in handler.path else CATALOG
            send(handler, 200, json.dumps(body).encode())

    with http_service(respond) as client:
        return main(["--url", client.url, *arguments])


def test_the_catalogue_lists_slots_and_the_methods_of_a_slot(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _run("catalog") == 0
    assert "optimizers" in capsys.readouterr().out
    assert _run("catalog", "optimizer") == 0
    out = capsys.readouterr().out
    assert "Adaptive." in out
    assert "Squares." not in out


def test_a_method_is_shown_with_source_bounds_and_defaults(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _run("catalog", "optimizers", "adam") == 0
    out = capsys.readouterr().out
    assert "source: A paper" in out
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines()]
    assert ["rate", "number > 0 and ≤ 1", "0.5", "r"] in rows
    assert ["units", "integer", "required", ""] in rows


def test_a_metric_is_shown_with_its_direction(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("catalog", "metrics", "val_loss") == 0
    assert "direction: lower" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [(["optimzers"], "optimizers"), (["optimizers", "Adma"], "adam")],
)
def test_an_unknown_name_gets_the_nearest(
    arguments: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("catalog", *arguments) == 4
    assert f"Did you mean '{meant}'?" in capsys.readouterr().err


def test_a_preview_is_saved(tmp_path: Path) -> None:
    file, picture, bodies = tmp_path / "spec.json", tmp_path / "picture.png", []
    file.write_text('{"dataset": "digits", "architecture": "mlp", "seed": 1}')
    arguments = ("--set", "augmentation.rotation=15", "--count", "4", "-o", str(picture))
    assert _run("preview", str(file), *arguments, bodies=bodies) == 0
    assert picture.read_bytes() == b"a picture"
    augmentation = {"rotation": 15}
    assert bodies == [{"dataset": "digits", "seed": 1, "augmentation": augmentation, "count": 4}]


def test_events_are_listed_as_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("events", JOB) == 0
    assert capsys.readouterr().out.splitlines() == [
        "2026-01-02 03:04:05  state       queued",
        '2026-01-02 03:04:06  phase       {"phase": "evaluating"}',
    ]
    assert _run("events", JOB, "--json") == 0
    assert json.loads(capsys.readouterr().out) == EVENTS


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"trainshed {trainshed.__version__}\n"
