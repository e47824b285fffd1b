"""Health checks of the parts. They connect directly: a proxy set in the environment is ignored."""

import http.client
import json
import socket
from collections.abc import Callable, Mapping
from contextlib import closing

from shared import sidecar
from shared.errors import Unavailable
from shared.settings import Settings

TIMEOUT_SECONDS = 2.0
NO_HEADERS: Mapping[str, bytes] = {}


def local_address(host: str) -> str:
    """Return the address at which a client on this machine reaches a server bound to `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def api_url(settings: Settings) -> str:
    """Return the URL of the API."""
    host = local_address(settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def why_not_ready(settings: Settings) -> str | None:
    """Return why the box is not ready, as a sentence; None if it is ready."""
    response = send_to_api(settings, "/readyz")
    if response is None:
        return "The API does not answer."
    status, body = response
    if status == 200:
        return None
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):  # another service, or an API that is stopping
        return f"{api_url(settings)}/readyz answers with status {status}."


def send_to_api(
    settings: Settings, path: str, *, method: str = "GET", headers: Mapping[str, bytes] = NO_HEADERS
) -> tuple[int, bytes] | None:
    """Return status and body of the API's response; None if it does not respond."""
    host = local_address(settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=TIMEOUT_SECONDS)
    with closing(connection):
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return None


def _is_api_alive(settings: Settings) -> bool:
    """Accept any response: an overloaded API answers with 503."""
    return send_to_api(settings, "/healthz") is not None


def _is_sidecar_alive(settings: Settings) -> bool:
    try:
        sidecar.send(settings.sidecar, {"operation": "ping"}, timeout_seconds=TIMEOUT_SECONDS)
    except Unavailable:
        return False
    return True


def _is_broker_alive(settings: Settings) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT_SECONDS)
            connection.connect(str(settings.sockets / "broker.sock"))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


#: The parts that have a health check, by name.
HEALTH_CHECKS: dict[str, Callable[[Settings], bool]] = {
    "api": _is_api_alive,
    "sidecar": _is_sidecar_alive,
    "broker": _is_broker_alive,
}
