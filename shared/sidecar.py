"""The sidecar's protocol: one JSON line as request, one JSON line as response, over a socket.

The sidecar is a warm torch process that answers what the API must know of torch at once.
Requests: `{"operation": "describe", "architecture": {…}, "image": [C, H, W], "classes": M, …}`.
Responses: `{"ok": true, …}`, `{"ok": false, "faults": [{"pointer", "detail"}]}`, or, where the
request is not at fault, `{"ok": false, "busy": "why"}`.
"""

import hashlib
import socket
from typing import Any
from urllib.parse import urlsplit

import orjson

from shared.errors import Unavailable

MAX_REQUEST_BYTES = 48 * 2**20  # 32 MB of pictures to predict, in base64
MAX_RESPONSE_BYTES = 32 * 2**20  # a picture
TIMEOUT_SECONDS = 5.0
#: For a response that takes longer: it may need a network that is loaded and run on many pictures.
LONG_TIMEOUT_SECONDS = 60.0


def send(
    address: str, request: dict[str, Any], *, timeout_seconds: float = TIMEOUT_SECONDS
) -> dict[str, Any]:
    """Send a request to the sidecar and return its response.

    Raises:
        Unavailable: the sidecar is busy, or does not respond in time.
    """
    try:
        with _connect(address, timeout_seconds) as connection:
            connection.sendall(orjson.dumps(request) + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline(MAX_RESPONSE_BYTES)
        response = orjson.loads(line)
    except (OSError, orjson.JSONDecodeError) as error:
        raise Unavailable(
            "The sidecar, which checks that a network can be built, does not respond. Try again."
        ) from error
    if "busy" in response:
        raise Unavailable(response["busy"])
    return response


def listen(address: str) -> socket.socket:
    """Return a socket that listens at the sidecar's address."""
    url = urlsplit(address)
    if url.scheme != "unix":
        return socket.create_server((url.hostname or "127.0.0.1", _port(address)), backlog=64)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(url.path)
    listening.listen(64)
    return listening


def digest(request: dict[str, Any]) -> str:
    """Return the key under which the response to a request is cached."""
    return hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).hexdigest()


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
            f"The sidecar's address is {address!r}. It must be unix:///path or tcp://host:port."
        )
    return url.port
