import hashlib
import json
import os
import socket
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.fakes.http_service import JOB_ID, http_service, send
from trainshed import ApiError
from trainshed.cli import main

CONTENT = bytes(range(256)) * 4096


def _serve(handler: BaseHTTPRequestHandler, digest: str, *, breaks: bool) -> None:
    """Serve a list of one checkpoint and its file; break the first response if `breaks`."""
    if handler.path.startswith("/v1/jobs/job_01m847ypybr28kppjvjqwjja05/checkpoints?"):
        row = {
            "id": "ckpt_1",
            "name": "last",
            "sha256": digest,
            "bytes": len(CONTENT),
            "download": "/file",
        }
        send(handler, 200, json.dumps({"data": [row], "has_more": False}).encode())
        return
    byte_range = handler.headers.get("Range")
    first = int(byte_range[6:-1]) if byte_range else 0
    rest = CONTENT[first:]
    handler.send_response(206 if byte_range else 200)
    handler.send_header("Content-Length", str(len(rest)))
    handler.end_headers()
    if breaks and not byte_range:
        handler.wfile.write(rest[: len(rest) // 2])
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
    else:
        handler.wfile.write(rest)


def test_interrupted_download_resumes(tmp_path: Path) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    sizes: list[int] = []
    with http_service(lambda h: _serve(h, digest, breaks=True)) as client:
        path = client.download(
            JOB_ID,
            "last",
            tmp_path,
            progress=lambda done, _total: sizes.append(done),
        )
    assert path.read_bytes() == CONTENT
    assert sizes == sorted(sizes)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_trailing_slash_creates_a_directory(tmp_path: Path) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    with http_service(lambda h: _serve(h, digest, breaks=False)) as client:
        path = client.download(JOB_ID, "last", f"{tmp_path}/new/")
        other = client.download(JOB_ID, "last", f"{tmp_path}/newer/weights")
    assert path == tmp_path / "new" / "job_01m847ypybr28kppjvjqwjja05-last.safetensors"
    assert other == tmp_path / "newer" / "weights"
    assert path.read_bytes() == other.read_bytes() == CONTENT


def test_download_with_a_wrong_digest_is_deleted(tmp_path: Path) -> None:
    with (
        http_service(lambda h: _serve(h, "0" * 64, breaks=False)) as client,
        pytest.raises(ApiError, match="SHA-256"),
    ):
        client.download(JOB_ID, "last", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_unknown_checkpoint_is_refused_with_the_available_names(tmp_path: Path) -> None:
    with (
        http_service(lambda h: _serve(h, "0" * 64, breaks=False)) as client,
        pytest.raises(ApiError, match=r"Available: last\."),
    ):
        client.download(JOB_ID, "best_val_loss", tmp_path)


def test_download_does_not_replace_a_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run by root it could turn /dev/null into a file of weights."""
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "k" * 20)
    os.mkfifo(tmp_path / "device")
    rows = b'{"data": [{"id": "c", "name": "last"}], "has_more": false}'
    with http_service(lambda handler: send(handler, 200, rows)) as client:
        output = str(tmp_path / "device")
        assert main(["--url", client.url, "download", JOB_ID, "-o", output]) == 2
    assert "is not a regular file" in capsys.readouterr().err
    assert [path.is_fifo() for path in tmp_path.iterdir()] == [True]
