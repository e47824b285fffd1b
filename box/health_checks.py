"""Whether the parts answer. Asked directly: a proxy of the environment is not for this machine."""

import http.client
import json
import socket
from collections.abc import Callable
from contextlib import closing

from shared import sidecar
from shared.errors import Unavailable
from shared.settings import Settings

PATIENCE_SECONDS = 2.0


def connectable(host: str) -> str:
    """The address by which a client here reaches a service that listens at `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def url(settings: Settings) -> str:
    """Where the API is."""
    host = connectable(settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def what_is_missing(settings: Settings) -> str | None:
    """What keeps the box from being ready, in a sentence; None if nothing does."""
    answer = _get(settings, "/readyz")
    if answer is None:
        return "The API does not answer."
    status, body = answer
    if status == 200:
        return None
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):  # another service, or an API that is ending
        return f"What answers at {url(settings)} says {status}."


def _get(settings: Settings, path: str) -> tuple[int, bytes] | None:
    host = connectable(settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=PATIENCE_SECONDS)
    with closing(connection):
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return None


def _api(settings: Settings) -> bool:
    """Any answer is one: an overloaded API says 503."""
    return _get(settings, "/healthz") is not None


def _sidecar(settings: Settings) -> bool:
    try:
        sidecar.ask(settings.sidecar, {"ask": "ping"}, timeout_seconds=PATIENCE_SECONDS)
    except Unavailable:
        return False
    return True


def _broker(settings: Settings) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(PATIENCE_SECONDS)
            connection.connect(str(settings.sockets / "broker.sock"))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


#: Parts that can be asked whether they live, by name.
LIVES: dict[str, Callable[[Settings], bool]] = {"api": _api, "sidecar": _sidecar, "broker": _broker}
