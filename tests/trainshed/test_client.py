import hashlib
import json
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.http_service import http_service, send
from trainshed import ApiError, Client, Unreachable, stream


def _event(number: int, kind: str, **data: Any) -> bytes:
    body = {"id": number, "object": "event", "type": kind, "data": data}
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(body)}\n\n".encode()


class TestFollow:
    def test_a_broken_stream_goes_on_without_gap_or_repeat(self) -> None:
        asked: list[str] = []
        everything = [_event(n, "epoch", epoch=n) for n in range(1, 6)]
        everything.append(_event(6, "state", state="succeeded"))

        def answer(handler: BaseHTTPRequestHandler) -> None:
            after = handler.headers["Last-Event-ID"]
            asked.append(after)
            handler.send_response(200)
            handler.send_header("Content-Type", "text/event-stream")
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            for event in everything[int(after) : int(after) + 2]:
                handler.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
            if int(after) + 2 < 6:
                handler.wfile.flush()
                handler.connection.shutdown(socket.SHUT_RDWR)
            else:
                handler.wfile.write(b"0\r\n\r\n")

        with http_service(answer) as client:
            seen = [event["id"] for event in client.follow("job_x")]
        assert seen == [1, 2, 3, 4, 5, 6]
        assert asked == ["0", "2", "4"]

    def test_a_job_that_ended_before_where_one_goes_on_has_nothing_more(self) -> None:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            if handler.path.endswith("/events"):
                send(handler, 200, b"", Content_Type="text/event-stream")
            else:
                send(handler, 200, b'{"state": "succeeded"}')

        with http_service(answer) as client:
            assert list(client.follow("job_x", after=6)) == []

    def test_a_text_is_not_broken_where_only_unicode_has_an_end_of_line(self) -> None:
        note = _event(1, "note", text="one\u2028two\x85three")
        raw = note.replace(b"\\u2028", "\u2028".encode()).replace(b"\\u0085", "\x85".encode())
        assert raw != note
        stream = raw + _event(2, "state", state="failed")
        with http_service(lambda handler: send(handler, 200, stream)) as client:
            first, _ = client.follow("job_x")
        assert first["data"]["text"] == "one\u2028two\x85three"

    def test_a_service_that_answers_and_has_nothing_to_tell_is_not_lost(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A job that waits: comments alone keep its stream alive, and connections break."""
        monkeypatch.setattr(stream, "PATIENCE_SECONDS", 0.0)
        tries: list[int] = []

        def answer(handler: BaseHTTPRequestHandler) -> None:
            tries.append(1)
            if len(tries) > 3:
                send(handler, 200, _event(1, "state", state="succeeded"))
                return
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            handler.wfile.write(b": still here\n\n")
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)

        with http_service(answer) as client:
            assert [event["id"] for event in client.follow("job_x")] == [1]
        assert len(tries) == 4

    def test_a_service_that_answers_no_more_is_given_up(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stream, "PATIENCE_SECONDS", 0.0)
        with (
            Client("http://127.0.0.1:1", "k" * 20) as client,
            pytest.raises(Unreachable, match="has not answered"),
        ):
            list(client.follow("job_x"))

    def test_what_the_service_refuses_is_raised(self) -> None:
        problem = {"status": 404, "detail": "There is no such job."}
        with (
            http_service(
                lambda handler: send(handler, 404, json.dumps(problem).encode())
            ) as client,
            pytest.raises(ApiError, match="no such job"),
        ):
            list(client.follow("job_x"))


class TestSubmit:
    @pytest.mark.parametrize(
        "ask", [lambda client: client.submit({}), lambda client: client.retry("job_x")]
    )
    def test_a_try_that_failed_is_repeated_with_the_same_key(
        self, ask: Callable[[Client], dict[str, Any]]
    ) -> None:
        keys: list[str] = []

        def answer(handler: BaseHTTPRequestHandler) -> None:
            keys.append(handler.headers["Idempotency-Key"])
            if len(keys) == 1:
                handler.connection.close()
            elif len(keys) == 2:
                send(handler, 503, b'{"status": 503, "detail": "not now"}')
            else:
                send(handler, 202, b'{"id": "job_x"}')

        with http_service(answer) as client:
            assert ask(client)["id"] == "job_x"
        assert len(keys) == 3
        assert len(set(keys)) == 1
        assert keys[0]

    def test_a_refusal_is_not_repeated_and_names_every_fault(self) -> None:
        faults = [{"pointer": "/a", "detail": "is wrong"}, {"pointer": "/b", "detail": "too"}]
        problem = {"status": 422, "detail": "2 faults", "errors": faults}
        calls: list[int] = []

        def answer(handler: BaseHTTPRequestHandler) -> None:
            calls.append(1)
            send(handler, 422, json.dumps(problem).encode())

        with http_service(answer) as client, pytest.raises(ApiError) as caught:
            client.submit({})
        assert len(calls) == 1
        assert "/a: is wrong" in str(caught.value)
        assert "/b: too" in str(caught.value)

    def test_what_json_does_not_admit_is_left_to_the_service(self) -> None:
        bodies: list[bytes] = []

        def answer(handler: BaseHTTPRequestHandler) -> None:
            bodies.append(handler.rfile.read(int(handler.headers["Content-Length"])))
            send(handler, 400, b'{"status": 400, "detail": "The body has NaN."}')

        with http_service(answer) as client, pytest.raises(ApiError, match="NaN"):
            client.submit({"seed": float("nan"), "name": "\ud800"})
        assert bodies == [b'{"seed": NaN, "name": "\\ud800"}']

    def test_an_answer_that_is_not_json_is_another_service_s(self) -> None:
        with (
            http_service(lambda handler: send(handler, 200, b"<html>")) as client,
            pytest.raises(Unreachable, match="not Trainshed"),
        ):
            client.catalog()

    def test_a_proxy_of_the_environment_is_not_asked_for_a_local_service(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
        with http_service(lambda handler: send(handler, 200, b"{}")) as client:
            assert client.catalog() == {}

    def test_a_key_may_be_any_printable_string(self) -> None:
        seen: list[bytes] = []

        def answer(handler: BaseHTTPRequestHandler) -> None:
            seen.append(handler.headers["Authorization"].encode("latin-1"))
            send(handler, 200, b"{}")

        with (
            http_service(answer) as client,
            Client(client.url, "ein Schlüssel – 鍵 und noch etwas") as other,
        ):
            other.catalog()
        assert seen == ["Bearer ein Schlüssel – 鍵 und noch etwas".encode()]

    def test_a_service_that_is_not_there_is_said_so(self) -> None:
        with (
            Client("http://127.0.0.1:1", "k" * 20) as client,
            pytest.raises(Unreachable, match="no service answers"),
        ):
            client.get("job_x")


class TestDownload:
    CONTENT = bytes(range(256)) * 4096

    def _serve(self, handler: BaseHTTPRequestHandler, digest: str, *, breaks: bool) -> None:
        if handler.path.startswith("/v1/jobs/job_x/checkpoints?"):
            row = {
                "id": "ckpt_1",
                "name": "last",
                "sha256": digest,
                "bytes": len(self.CONTENT),
                "download": "/file",
            }
            send(handler, 200, json.dumps({"data": [row], "has_more": False}).encode())
            return
        given = handler.headers.get("Range")
        first = int(given[6:-1]) if given else 0
        rest = self.CONTENT[first:]
        handler.send_response(206 if given else 200)
        handler.send_header("Content-Length", str(len(rest)))
        handler.end_headers()
        if breaks and not given:
            handler.wfile.write(rest[: len(rest) // 2])
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)
        else:
            handler.wfile.write(rest)

    def test_one_that_broke_off_goes_on(self, tmp_path: Path) -> None:
        digest = hashlib.sha256(self.CONTENT).hexdigest()
        seen: list[int] = []
        with http_service(lambda h: self._serve(h, digest, breaks=True)) as client:
            path = client.download(
                "job_x", "last", tmp_path, progress=lambda have, _size: seen.append(have)
            )
        assert path.read_bytes() == self.CONTENT
        assert seen == sorted(seen)
        assert [one.name for one in tmp_path.iterdir()] == [path.name]

    def test_a_directory_that_is_not_there_is_made_where_a_slash_says_so(
        self, tmp_path: Path
    ) -> None:
        digest = hashlib.sha256(self.CONTENT).hexdigest()
        with http_service(lambda h: self._serve(h, digest, breaks=False)) as client:
            path = client.download("job_x", "last", f"{tmp_path}/new/")
            other = client.download("job_x", "last", f"{tmp_path}/newer/weights")
        assert path == tmp_path / "new" / "job_x-last.safetensors"
        assert other == tmp_path / "newer" / "weights"
        assert path.read_bytes() == other.read_bytes() == self.CONTENT

    def test_one_with_another_digest_is_thrown_away(self, tmp_path: Path) -> None:
        with (
            http_service(lambda h: self._serve(h, "0" * 64, breaks=False)) as client,
            pytest.raises(ApiError, match="sha256"),
        ):
            client.download("job_x", "last", tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_a_checkpoint_that_is_not_there_names_those_that_are(self, tmp_path: Path) -> None:
        with (
            http_service(lambda h: self._serve(h, "0" * 64, breaks=False)) as client,
            pytest.raises(ApiError, match="there are last"),
        ):
            client.download("job_x", "best_val_loss", tmp_path)
