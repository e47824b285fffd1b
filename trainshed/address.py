"""Where the service is and which key it takes: given, from the environment, or the box's files."""

import os
from pathlib import Path

import httpx

from trainshed.errors import WrongUsage

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
HIGHEST_PORT = 65_535


def url(given: str | None = None) -> str:
    """The service's address: given, from the environment, or what the box here wrote down.

    Raises:
        WrongUsage: it is no address of HTTP, or nobody can say where the box's files are.
    """
    found = given or os.environ.get("TRAINSHED_URL") or _from_parts() or _written()
    found = (found or "http://127.0.0.1:8000").rstrip("/")
    if why_not := _fault(found):
        raise WrongUsage(
            f"{found!r} is not an address of the service: {why_not}. One is http://HOST:PORT or "
            "https://HOST"
        )
    return found


def key(given: str | None = None) -> str:
    """The key: given, TRAINSHED_ADMIN_KEY, or what the box wrote under TRAINSHED_HOME.

    Raises:
        FileNotFoundError: there is none; the text says where it was looked for.
        WrongUsage: it is none that a service can have.
    """
    found = given or os.environ.get("TRAINSHED_ADMIN_KEY") or _written_key()
    if not found.isprintable():
        raise WrongUsage("the key has characters that cannot be printed, such as an end of line")
    return found


def _written_key() -> str:
    path = _home() / "key"
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise FileNotFoundError(
            "there is no key: set TRAINSHED_ADMIN_KEY, or TRAINSHED_HOME to the box's directory "
            f"({path} cannot be read)"
        ) from error


def is_local(address: str) -> bool:
    """Whether the service is on this machine: no proxy stands between."""
    return httpx.URL(address).host in LOCAL


def _fault(address: str) -> str | None:
    """What keeps a text from being an address to connect to."""
    try:
        parsed = httpx.URL(address)
        parsed.host.encode("idna")  # as the socket will do it
    except (httpx.InvalidURL, UnicodeError) as error:
        return str(error)
    if parsed.scheme not in {"http", "https"}:
        return "it does not begin with http:// or https://"
    if not parsed.host:
        return "it names no host"
    if (parsed.port or 0) > HIGHEST_PORT:
        return f"its port is above {HIGHEST_PORT}"
    return None


def _from_parts() -> str | None:
    host, port = os.environ.get("TRAINSHED_HOST"), os.environ.get("TRAINSHED_PORT")
    if not host and not port:
        return None
    # An address to listen at everywhere is none to connect to.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host or "", host or "127.0.0.1")  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{port or '8000'}"


def _written() -> str | None:
    try:
        return (_home() / "run" / "address").read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None


def _home() -> Path:
    given = os.environ.get("TRAINSHED_HOME") or "~/.trainshed"
    try:
        return Path(given).expanduser()
    except RuntimeError as error:
        raise WrongUsage(f"{given} leads nowhere: set TRAINSHED_HOME to a directory") from error
