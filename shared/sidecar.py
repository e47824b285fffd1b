"""The sidecar's wire: one JSON line asked, one JSON line answered, over a socket.

The sidecar is the warm torch process that answers what the API must know of torch at once.
Questions: `{"ask": "describe", "architecture": {…}, "image": [C, H, W], "classes": M, …}`.
Answers: `{"ok": true, …}`, `{"ok": false, "faults": [{"pointer", "detail"}]}`, or, where the
question is not to blame, `{"ok": false, "busy": "why"}`.
"""

import hashlib
import socket
from typing import Any
from urllib.parse import urlsplit

import orjson

from shared.errors import Unavailable

LONGEST_LINE = 4 * 2**20  # bytes
LONGEST_ANSWER = 32 * 2**20  # bytes: a picture
PATIENCE = 5.0  # seconds


def ask(address: str, question: dict[str, Any], *, timeout_seconds: float = PATIENCE) -> Any:
    """Ask the sidecar and return its answer.

    Raises:
        Unavailable: nobody answers in time, or the sidecar is busy.
    """
    try:
        with _connect(address, timeout_seconds) as connection:
            connection.sendall(orjson.dumps(question) + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline(LONGEST_ANSWER)
        answer = orjson.loads(line)
    except (OSError, orjson.JSONDecodeError) as error:
        raise Unavailable(
            "The sidecar, which checks that a network can be built, does not answer; try again."
        ) from error
    if "busy" in answer:
        raise Unavailable(answer["busy"])
    return answer


def listen(address: str) -> socket.socket:
    """The listening socket of the sidecar."""
    url = urlsplit(address)
    if url.scheme != "unix":
        return socket.create_server((url.hostname or "127.0.0.1", _port(address)), backlog=64)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(url.path)
    listening.listen(64)
    return listening


def digest(question: dict[str, Any]) -> str:
    """The key under which the answer to a question is kept."""
    return hashlib.sha256(orjson.dumps(question, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _connect(address: str, timeout_seconds: float) -> socket.socket:
    url = urlsplit(address)
    if url.scheme == "unix":
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_seconds)
        try:
            connection.connect(url.path)
        except OSError:
            connection.close()
            raise
        return connection
    host = url.hostname or "127.0.0.1"
    return socket.create_connection((host, _port(address)), timeout_seconds)


def _port(address: str) -> int:
    url = urlsplit(address)
    if url.scheme != "tcp" or url.port is None:
        raise ValueError(
            f"the sidecar's address is {address!r}; it takes unix:///path or tcp://host:port"
        )
    return url.port
