"""Warnings of a specification are shown, apart from what a script reads."""

import json
from pathlib import Path

import pytest

from tests.fakes.http_service import http_service, send
from tests.trainshed.test_job_tables import JOB
from trainshed.cli import main

WARNINGS = [
    {"pointer": "/training/batch_size", "detail": "is 512", "suggestion": "Use 32."},
    {"pointer": "/metrics/top_k/1", "detail": "is [red]10[/red]", "suggestion": None},
]
LINES = [
    "warning: /training/batch_size is 512. Use 32.",
    "warning: /metrics/top_k/1 is [red]10[/red].",
]
VALIDATION = {
    "parameter_count": {"trainable": 1},
    "device_memory_mib": None,
    "seconds_per_epoch": None,
    "queue_position": 1,
}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "k" * 20)


def _run(path: Path, *arguments: str) -> int:
    body = {**JOB, **VALIDATION, "warnings": WARNINGS}
    (path / "spec.json").write_text("{}")
    with http_service(lambda handler: send(handler, 200, json.dumps(body).encode())) as client:
        return main(["--url", client.url, *arguments])


def test_submit_prints_warnings_to_standard_error_and_only_the_id_to_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(tmp_path, "submit", str(tmp_path / "spec.json")) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [JOB["id"]]
    assert captured.err.splitlines() == LINES


@pytest.mark.parametrize("command", ["validate", "show"])
def test_validate_and_show_print_warnings(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argument = str(tmp_path / "spec.json") if command == "validate" else JOB["id"]
    assert _run(tmp_path, command, argument) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == LINES


@pytest.mark.parametrize("command", ["submit", "validate", "show"])
def test_json_output_has_the_warnings(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argument = JOB["id"] if command == "show" else str(tmp_path / "spec.json")
    assert _run(tmp_path, command, argument, "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["warnings"] == WARNINGS
    assert captured.err == ""
