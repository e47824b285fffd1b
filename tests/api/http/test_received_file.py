"""The body of a request as a file: every part in its order, also where the disk is slower."""

import asyncio
import hashlib
import time
from pathlib import Path

import pytest
from fastapi import Request

from api.http import received_file
from api.http.received_file import CHUNK_BYTES, receive

CONTENT = b"".join(bytes([part]) * (CHUNK_BYTES // 2 + 77) for part in range(9))


class SlowDigest:
    """A digest that takes longer for a whole part than for the rest of a body."""

    def __init__(self) -> None:
        self._digest = hashlib.new("sha256")

    def update(self, part: bytearray) -> None:
        if len(part) >= CHUNK_BYTES:
            time.sleep(0.02)
        self._digest.update(part)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def _request(content: bytes, piece_bytes: int) -> Request:
    pieces = [content[at : at + piece_bytes] for at in range(0, len(content), piece_bytes)]
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def next_message() -> dict[str, object]:
        return messages.pop(0)

    return Request({"type": "http", "method": "POST", "headers": []}, next_message)


@pytest.mark.parametrize("piece_bytes", [1000, CHUNK_BYTES // 3, CHUNK_BYTES, 3 * CHUNK_BYTES])
def test_parts_are_written_and_hashed_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece_bytes: int
) -> None:
    monkeypatch.setattr(received_file.hashlib, "sha256", SlowDigest)
    path = tmp_path / "upload"
    size, sha256 = asyncio.run(receive(_request(CONTENT, piece_bytes), path, max_mib=100))
    assert path.read_bytes() == CONTENT
    assert (size, sha256) == (len(CONTENT), hashlib.new("sha256", CONTENT).hexdigest())
