"""Names that a person or a file chose cannot control the terminal or reorder a line."""

import json
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.fakes.http_service import JOB_ID, http_service, send
from tests.trainshed.test_job_tables import JOB
from trainshed.cli import main
from trainshed.escaping import escaped

#: An escape sequence, an override of the direction, a line separator, a character of no width, a
#: surrogate, and a tag character.
UNSAFE = ["\x1b[31m", "\u202e", "\u2066", "\u2028", "\u2029", "\u200b", "\ud800", "\U000e0041"]
HOSTILE = "a" + "".join(UNSAFE[:-2]) + "\r\nb"
SHOWN = "a\\x1b[31m\\u202e\\u2066\\u2028\\u2029\\u200b\\r\\nb"


@pytest.mark.parametrize("text", UNSAFE)
def test_an_unsafe_character_is_shown_by_its_code(text: str) -> None:
    shown = escaped(f"a{text}b")
    assert shown.isascii()
    assert shown.startswith("a\\")
    assert escaped(shown) == shown


@pytest.mark.parametrize("text", ["", "plain", "größe", "名前", "a b", "a\u00a0b", "é", "🙂"])
def test_ordinary_text_stays(text: str) -> None:
    assert escaped(text) == text


def test_texts_at_any_depth_are_escaped_keys_included() -> None:
    value = {"tags": {"\x1b": ["\u202e", 1, None, True]}}
    assert escaped(value) == {"tags": {"\\x1b": ["\\u202e", 1, None, True]}}


def test_kept_characters_stay() -> None:
    assert escaped("a\n\tb\x1b", keep="\n\t") == "a\n\tb\\x1b"


def _run(responses: dict[str, Any], *arguments: str) -> int:
    """Run a command against a service with these responses by the ends of their addresses."""

    def respond(handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        body = next(value for end, value in responses.items() if path.endswith(end))
        send(handler, 200, body if isinstance(body, bytes) else json.dumps(body).encode())

    with http_service(respond) as client:
        return main(["--url", client.url, *arguments])


HOSTILE_JOB = {**JOB, "name": HOSTILE, "tags": {HOSTILE: HOSTILE}, "queue_position": 1}
TOP_K: dict[str, Any] = {
    "checkpoints": [
        {
            "checkpoint": "ckpt_1",
            "name": "last",
            "epoch": 1,
            "loss": 0.5,
            "accuracy": 1.0,
            "top_k": {"1": 1.0},
            "per_class": [{"label": 0, "name": HOSTILE, "count": 1, "accuracy": 1.0}],
            "mistakes": [{"sample": 0, "label": 0, "predicted": 0, "probability": 1.0}],
        }
    ],
    "samples": {
        "checkpoint": "ckpt_1",
        "data": [
            {
                "sample": 0,
                "label_name": HOSTILE,
                "right": True,
                "classes": [{"name": HOSTILE, "probability": 1.0}],
            }
        ],
    },
}
WARNING = {"pointer": "/dataset", "detail": f"`{HOSTILE}` is left out", "suggestion": None}
FAULT = {"pointer": "/dataset", "detail": f"{HOSTILE} is not a column"}


@pytest.mark.parametrize(
    ("responses", "arguments"),
    [
        ({"/jobs": {"data": [HOSTILE_JOB], "has_more": False}}, ["list"]),
        (
            {f"/{JOB_ID}": HOSTILE_JOB},
            ["show", JOB_ID],
        ),
        (
            {
                f"/{JOB_ID}": {
                    **JOB,
                    "queue_position": 1,
                    "warnings": [WARNING],
                }
            },
            ["show", JOB_ID],
        ),
        ({"/top-k": TOP_K}, ["top-k", JOB_ID]),
        (
            {"/confusion": {"name": "last", "classes": [HOSTILE], "matrix": [[1]]}},
            ["confusion", JOB_ID],
        ),
        (
            {"/logs": HOSTILE.replace("\r\n", "").encode()},
            ["logs", JOB_ID],
        ),
    ],
)
def test_commands_escape_what_they_print(
    responses: dict[str, Any],
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "key")
    assert _run(responses, *arguments) == 0
    out = capsys.readouterr().out
    assert not set(out) & set("\x1b\u202e\u2066\u2028\u2029\u200b\r")
    assert "\\x1b[31m\\u202e" in "".join(out.split())


def test_errors_are_escaped_and_keep_their_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "key")
    problem = {"status": 422, "detail": "The specification has a fault.", "errors": [FAULT]}

    def respond(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 422, json.dumps(problem).encode())

    with http_service(respond) as client:
        assert main(["--url", client.url, "validate", "--preset", "a"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "The specification has a fault."
    assert SHOWN.split("\\r", maxsplit=1)[0] in lines[1]


@pytest.mark.parametrize("command", ["metrics", "checkpoints", "artifacts"])
@pytest.mark.parametrize("is_failed", [True, False])
def test_an_empty_list_says_whether_something_will_come(
    command: str,
    is_failed: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "key")
    ending = "failed (dataset_missing): There is no file." if is_failed else None
    job = {**JOB, "state": "failed" if is_failed else "running", "ending": ending}
    empty = {"data": [], "has_more": False}
    assert (
        _run(
            {f"/{command}": empty, f"/{JOB_ID}": job},
            command,
            JOB_ID,
        )
        == 0
    )
    out = capsys.readouterr().out
    if is_failed:
        assert out == f"none, and none will come. The job has ended: {ending}\n"
    else:
        assert out.startswith("none yet; ")
