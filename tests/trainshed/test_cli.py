import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.fakes.http_service import http_service, request_body, send
from trainshed.cli import main
from trainshed.commands import common_options

JOB = {
    "id": "job_01m847ypybr28kppjvjqwjja05",
    "name": "[red]not markup[/red]",
    "state": "queued",
    "progress": None,
    "queue_position": 1,
    "spec": {"dataset": {"name": "digits"}, "architecture": {"name": "mlp"}},
    "metrics": {},
    "best": {},
    "result": None,
    "warnings": [],
    "created_at": "2026-11-23T12:00:00Z",
}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "k" * 20)


def _exit_code_for(status: int) -> int:
    """Return the exit code of a command whose request is refused with a status."""
    problem = json.dumps({"status": status, "detail": "no"}).encode()
    with http_service(lambda handler: send(handler, status, problem)) as client:
        return main(["--url", client.url, "show", JOB["id"]])


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 2), (409, 2), (422, 2), (404, 4), (401, 5), (403, 5), (500, 5), (503, 5)],
)
def test_refused_request_has_the_exit_code_of_its_status(status: int, code: int) -> None:
    assert _exit_code_for(status) == code


@pytest.mark.parametrize(("state", "code"), [("succeeded", 0), ("failed", 1), ("cancelled", 3)])
def test_follow_exits_with_the_code_of_the_final_state(
    state: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"id": 1, "type": "state", "data": {"state": state}}

    def respond(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.endswith("/events"):
            send(handler, 200, f"id: 1\nevent: state\ndata: {json.dumps(event)}\n\n".encode())
        else:
            send(handler, 200, json.dumps({**JOB, "state": state}).encode())

    with http_service(respond) as client:
        assert main(["--url", client.url, "follow", JOB["id"], "--json"]) == code
    assert json.loads(capsys.readouterr().out) == event


@pytest.mark.parametrize(
    ("command", "state", "phase", "line"),
    [
        ("cancel", "running", "cancelling", "cancelling"),
        ("pause", "running", "pausing", "pausing"),
        ("pause", "paused", None, "paused"),
        ("resume", "queued", None, "queued"),
    ],
)
def test_requests_for_a_job_print_what_it_is_now(
    command: str, state: str, phase: str | None, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    paths: list[str] = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        paths.append(f"{handler.command} {handler.path}")
        send(handler, 202, json.dumps({**JOB, "state": state, "phase": phase}).encode())

    with http_service(respond) as client:
        assert main(["--url", client.url, command, JOB["id"]]) == 0
    assert paths == [f"POST /v1/jobs/{JOB['id']}/{command}"]
    assert capsys.readouterr().out == f"{JOB['id']} is {line}\n"


def test_set_sends_a_merge_patch(capsys: pytest.CaptureFixture[str]) -> None:
    bodies: list[object] = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        bodies.append(json.loads(request_body(handler)))
        assert (handler.command, handler.path) == ("PATCH", f"/v1/jobs/{JOB['id']}")
        assert handler.headers["Content-Type"] == "application/merge-patch+json"
        send(handler, 200, json.dumps(JOB).encode())

    fields = ["priority=high", "notes=a=b", "max_runtime_seconds=60", "tags.a.b=7", "tags.c=null"]
    with http_service(respond) as client:
        assert main(["--url", client.url, "set", JOB["id"], *fields]) == 0
    tags = {"a.b": "7", "c": None}
    assert bodies == [{"priority": "high", "notes": "a=b", "max_runtime_seconds": 60, "tags": tags}]
    assert capsys.readouterr().out == f"{JOB['id']} is changed\n"
    assert main(["set", JOB["id"], "priority"]) == 2
    assert "FIELD=VALUE" in capsys.readouterr().err


def test_list_in_a_pipe_is_neither_wrapped_nor_coloured_nor_read_as_markup(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    page = json.dumps({"data": [JOB], "has_more": False}).encode()
    with http_service(lambda handler: send(handler, 200, page)) as client:
        assert main(["--url", client.url, "list"]) == 0
    output = capsys.readouterr().out
    assert JOB["id"] in output
    assert JOB["name"] in output
    assert "\x1b" not in output


def test_list_on_a_narrow_terminal_shows_ids_states_and_names_in_full(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common_options.console, "width", 80)
    running = {"state": "running", "progress": {"fraction": 0.42}, "name": "a" * 20}
    page = json.dumps({"data": [{**JOB, **running}], "has_more": False}).encode()
    with http_service(lambda handler: send(handler, 200, page)) as client:
        assert main(["--url", client.url, "list"]) == 0
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= 80
    assert JOB["id"] in output
    assert "running, 42 %" in output
    rows = [line.split("│") for line in output.splitlines() if line.startswith("│")]
    assert {len(row) for row in rows} == {6}  # four columns between five lines
    assert "".join(row[2].strip() for row in rows) == running["name"]


def test_succeeded_job_shows_no_percentage(capsys: pytest.CaptureFixture[str]) -> None:
    ended = {**JOB, "state": "succeeded", "progress": {"fraction": 0.99}}
    page = json.dumps({"data": [ended], "has_more": False}).encode()
    with http_service(lambda handler: send(handler, 200, page)) as client:
        assert main(["--url", client.url, "list"]) == 0
    assert "99" not in capsys.readouterr().out


def test_follow_shows_each_stage_with_its_trainable_parameters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.endswith("/events"):
            stage = {"stage": "warm_up", "trainable_parameters": 330_506, "epochs": 5}
            payloads = [("stage", stage), ("state", {"state": "cancelled"})]
            events = [
                f"data: {json.dumps({'id': n, 'type': kind, 'data': data})}\n\n"
                for n, (kind, data) in enumerate(payloads, start=1)
            ]
            send(handler, 200, "".join(events).encode())
        else:
            send(handler, 200, json.dumps({**JOB, "state": "cancelled", "failure": None}).encode())

    with http_service(respond) as client:
        assert main(["--url", client.url, "follow", JOB["id"]]) == 3
    assert "stage warm_up: 330,506 trainable parameters, 5 epochs" in capsys.readouterr().out


def test_file_that_is_not_json_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "spec.json"
    path.write_text("{")
    assert main(["submit", str(path)]) == 2
    assert "is not JSON" in capsys.readouterr().err


PRESET = {
    "name": "plain",
    "title": "A plain network",
    "teaches": "[red]not markup[/red]",
    "look_at": "the curves",
    "spec": {"name": "plain", "dataset": "digits", "architecture": "mlp"},
}


def test_preset_is_submitted_with_the_fields_of_the_options(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bodies = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        if handler.command == "GET":
            assert handler.path == "/v1/presets/plain"
            send(handler, 200, json.dumps(PRESET).encode())
        else:
            bodies.append(json.loads(request_body(handler)))
            send(handler, 202, json.dumps(JOB).encode())

    options = ["--preset", "plain", "--seed", "3", "--tag", "a=b"]
    with http_service(respond) as client:
        assert main(["--url", client.url, "submit", *options]) == 0
    assert bodies == [{**PRESET["spec"], "seed": 3, "tags": {"a": "b"}}]
    assert JOB["id"] in capsys.readouterr().out


@pytest.mark.parametrize("source", [[], ["spec.json", "--preset", "plain"]])
def test_submit_needs_a_file_or_a_preset(
    source: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", *source]) == 2
    assert "either a file" in capsys.readouterr().err


def test_presets_are_listed_with_what_they_teach(capsys: pytest.CaptureFixture[str]) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        is_single = handler.path.startswith("/v1/presets/")
        body = PRESET if is_single else {"data": [PRESET], "has_more": False}
        send(handler, 200, json.dumps(body).encode())

    with http_service(respond) as client:
        assert main(["--url", client.url, "presets"]) == 0
        assert main(["--url", client.url, "presets", "plain"]) == 0
    output = capsys.readouterr().out
    assert PRESET["teaches"] in output
    assert '"architecture": "mlp"' in output
    assert "the curves" in output


@pytest.mark.parametrize(
    ("tag", "parameter"),
    [
        ("group", "group"),
        ("group=vision", "group:vision"),
        ("group:vision", "group:vision"),
        ("group:a=b", "group:a=b"),
        ("group=a:b=c", "group:a:b=c"),
    ],
)
def test_list_takes_a_tag_in_the_form_of_submit(tag: str, parameter: str) -> None:
    paths: list[str] = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        paths.append(handler.path)
        send(handler, 200, b'{"data": [], "has_more": false}')

    with http_service(respond) as client:
        assert main(["--url", client.url, "list", "--tag", tag]) == 0
    (path,) = paths
    assert parse_qs(urlsplit(path).query)["tag"] == [parameter]
