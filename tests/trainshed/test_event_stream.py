import json
import socket
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.fakes.http_service import JOB_ID, http_service, send
from trainshed import ApiError, Client, Unreachable, event_stream


def _event(number: int, kind: str, **data: Any) -> bytes:
    body = {"id": number, "object": "event", "type": kind, "data": data}
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(body)}\n\n".encode()


def test_broken_stream_is_resumed_without_gap_or_repeat() -> None:
    cursors: list[str] = []
    all_events = [_event(n, "epoch", epoch=n) for n in range(1, 6)]
    all_events.append(_event(6, "state", state="succeeded"))

    def respond(handler: BaseHTTPRequestHandler) -> None:
        after = handler.headers["Last-Event-ID"]
        cursors.append(after)
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for event in all_events[int(after) : int(after) + 2]:
            handler.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
        if int(after) + 2 < 6:
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)
        else:
            handler.wfile.write(b"0\r\n\r\n")

    with http_service(respond) as client:
        ids = [event["id"] for event in client.follow(JOB_ID)]
    assert ids == [1, 2, 3, 4, 5, 6]
    assert cursors == ["0", "2", "4"]


def test_stream_after_the_last_event_of_an_ended_job_is_empty() -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.endswith("/events"):
            send(handler, 200, b"", Content_Type="text/event-stream")
        else:
            send(handler, 200, b'{"state": "succeeded"}')

    with http_service(respond) as client:
        assert list(client.follow(JOB_ID, after=6)) == []


def test_line_separators_of_unicode_do_not_break_an_event() -> None:
    note = _event(1, "note", text="one\u2028two\x85three")
    raw = note.replace(b"\\u2028", "\u2028".encode()).replace(b"\\u0085", "\x85".encode())
    assert raw != note
    body = raw + _event(2, "state", state="failed")
    with http_service(lambda handler: send(handler, 200, body)) as client:
        first, _ = client.follow(JOB_ID)
    assert first["data"]["text"] == "one\u2028two\x85three"


def test_service_that_answers_without_events_is_not_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The stream of a queued job holds only comments, and its connections break."""
    monkeypatch.setattr(event_stream, "RECONNECT_TIMEOUT_SECONDS", 0.0)
    requests: list[str] = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        requests.append(handler.path)
        if len(requests) > 3:
            send(handler, 200, _event(1, "state", state="succeeded"))
            return
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b": still here\n\n")
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)

    with http_service(respond) as client:
        assert [event["id"] for event in client.follow(JOB_ID)] == [1]
    assert len(requests) == 4


def test_service_that_no_longer_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "RECONNECT_TIMEOUT_SECONDS", 0.0)
    with (
        Client("http://127.0.0.1:1", "k" * 20) as client,
        pytest.raises(Unreachable, match="has not answered"),
    ):
        list(client.follow(JOB_ID))


def test_refused_request_is_raised() -> None:
    problem = {"status": 404, "detail": "There is no such job."}
    with (
        http_service(lambda handler: send(handler, 404, json.dumps(problem).encode())) as client,
        pytest.raises(ApiError, match="no such job"),
    ):
        list(client.follow(JOB_ID))
