"""The commands for analyses, with responses as the service sends them."""

import hashlib
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.http_service import JOB_ID, http_service, request_body, send
from trainshed import analysis_requests
from trainshed.cli import main

ID = "ana_01m847ypybr28kppjvjqwjja06"
FILES = {"spectrum.svg": b"<svg/>", "curvature.npz": b"arrays"}
ANALYSIS: dict[str, Any] = {
    "id": ID,
    "object": "analysis",
    "job": JOB_ID,
    "kind": "curvature",
    "checkpoint_name": "last",
    "parameters": {"samples": 100, "seed": 0},
    "state": "succeeded",
    "progress": {"step": 9, "steps": 10, "fraction": 0.9, "eta_seconds": 1.0},
    "result": {"summary": ["A saddle. It rises and falls.", "Largest \x1b[31meigenvalue: 5."]},
    "failure": None,
    "artifacts": [
        {
            "name": name,
            "media_type": "image/svg+xml",
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "download": f"/files/{name}",
        }
        for name, content in FILES.items()
    ],
    "created_at": "2026-01-02T03:04:05Z",
}
RUNNING = {**ANALYSIS, "state": "running", "result": None, "artifacts": []}
FAILURE = {"kind": "out_of_memory", "message": "It does not fit.", "hint": "Use fewer samples."}
FAILED = {**RUNNING, "state": "failed", "failure": FAILURE}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "k" * 20)
    monkeypatch.delenv("COLUMNS", raising=False)


def _run(*arguments: str, states: tuple[dict[str, Any], ...] = (ANALYSIS,)) -> tuple[int, list]:
    """Run a command; return the exit code and the requests, with bodies."""
    requests: list[tuple[str, str, Any]] = []
    left = list(states)

    def respond(handler: BaseHTTPRequestHandler) -> None:
        path, _, query = handler.path.partition("?")
        body: Any = query or None
        if handler.command == "POST":
            body = json.loads(request_body(handler) or b"{}")
        requests.append((handler.command, path, body))
        if path.startswith("/files/"):
            send(handler, 200, FILES[path.removeprefix("/files/")])
        elif path.endswith("/logs"):
            send(handler, 200, b"begin\n\x1b[31mend\n")
        elif path == "/v1/analyses":
            send(handler, 200, json.dumps({"data": [ANALYSIS], "has_more": False}).encode())
        else:
            shown = left.pop(0) if len(left) > 1 else left[0]
            send(handler, 200, json.dumps(shown).encode())

    with http_service(respond) as client:
        return main(["--url", client.url, "analyses", *arguments]), requests


def test_start_sends_the_parameters_and_shows_the_result_when_it_is_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis_requests, "PROGRESS_SECONDS", 0.01)
    options = ("--set", "samples=100", "--set", "normalization=none", "--checkpoint", "initial")
    states = (RUNNING, RUNNING, ANALYSIS)
    code, requests = _run("start", JOB_ID, "curvature", *options, states=states)
    assert code == 0
    sent = {"kind": "curvature", "checkpoint": "initial", "samples": 100, "normalization": "none"}
    assert requests[0] == ("POST", f"/v1/jobs/{JOB_ID}/analyses", sent)
    assert len(requests) == 3
    out = capsys.readouterr().out
    assert "curvature of last" in out
    assert "• A saddle. It rises and falls." in out
    assert "\x1b" not in out
    assert "spectrum.svg" in out


def test_start_sends_a_time_limit_and_fields_that_are_set() -> None:
    limit = ("--max-runtime-seconds", "60")
    _, requests = _run("start", JOB_ID, "curvature", *limit, "--set", "checkpoint=initial")
    sent = {"kind": "curvature", "checkpoint": "initial", "max_runtime_seconds": 60}
    assert requests[0][2] == sent


def test_the_kind_is_no_parameter(capsys: pytest.CaptureFixture[str]) -> None:
    code, requests = _run("start", JOB_ID, "curvature", "--set", "kind=loss_path")
    assert (code, requests) == (2, [])
    assert "the kind is the second argument" in capsys.readouterr().err


def test_logs_are_printed_without_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    code, requests = _run("logs", ID, "--attempt", "2")
    assert (code, requests[0][:2]) == (0, ("GET", f"/v1/analyses/{ID}/logs"))
    assert capsys.readouterr().out == "begin\n\\x1b[31mend\n"


def test_start_without_following_prints_the_id(capsys: pytest.CaptureFixture[str]) -> None:
    code, requests = _run("start", JOB_ID, "curvature", "--no-follow", states=(RUNNING,))
    assert (code, len(requests), capsys.readouterr().out) == (0, 1, f"{ID}\n")


def test_a_failed_analysis_shows_its_failure_and_its_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _ = _run("start", JOB_ID, "curvature", states=(FAILED,))
    assert code == 1
    assert "out_of_memory: It does not fit. Use fewer samples." in capsys.readouterr().out


def test_list_of_all_jobs_names_the_jobs_and_takes_filters(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, requests = _run()
    assert (code, requests[0][2]) == (0, "limit=20")
    assert JOB_ID in capsys.readouterr().out
    filters = ("--kind", "curvature", "--state", "failed", "--owner", "ada", "--limit", "3")
    code, requests = _run("list", JOB_ID, *filters, "--json")
    sent = f"job={JOB_ID}&kind=curvature&state=failed&owner=ada&limit=3"
    assert (code, requests[0][2]) == (0, sent)
    assert json.loads(capsys.readouterr().out) == [ANALYSIS]


def test_list_and_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("list", JOB_ID)[0] == 0
    assert ID in capsys.readouterr().out
    assert _run("show", ID, states=(RUNNING,))[0] == 0
    assert "running, 90%" in capsys.readouterr().out
    assert _run("show", ID, "--json")[0] == 0
    assert json.loads(capsys.readouterr().out) == ANALYSIS


def test_download_takes_all_files_or_only_the_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("download", ID, "-o", f"{tmp_path}/all")[0] == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "all").iterdir()} == {
        f"{ID}-{name}": content for name, content in FILES.items()
    }
    assert _run("download", ID, "spectrum.svg", "-o", f"{tmp_path}/s.svg")[0] == 0
    assert (tmp_path / "s.svg").read_bytes() == FILES["spectrum.svg"]
    capsys.readouterr()
    assert _run("download", ID, "other.svg")[0] == 4
    assert "spectrum.svg, curvature.npz" in capsys.readouterr().err


def test_cancel_says_what_happens(capsys: pytest.CaptureFixture[str]) -> None:
    code, requests = _run("cancel", ID, states=(RUNNING,))
    assert (code, requests[0][1]) == (0, f"/v1/analyses/{ID}/cancel")
    assert capsys.readouterr().out == f"{ID} is being cancelled\n"
