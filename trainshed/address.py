"""Where the service is and which key it takes: given, from the environment, or the box's files."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from trainshed.errors import WrongUsage

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def url(given: str | None = None) -> str:
    """The service's address: given, from the environment, or what the box here wrote down.

    Raises:
        WrongUsage: it is no address of HTTP.
    """
    found = given or os.environ.get("TRAINSHED_URL") or _from_parts() or _written()
    found = (found or "http://127.0.0.1:8000").rstrip("/")
    if not found.startswith(("http://", "https://")):
        raise WrongUsage(f"{found!r} is not an address: one begins with http:// or https://")
    return found


def key(given: str | None = None) -> str:
    """The key: given, TRAINSHED_ADMIN_KEY, or what the box wrote under TRAINSHED_HOME.

    Raises:
        FileNotFoundError: there is none; the text says where it was looked for.
    """
    found = given or os.environ.get("TRAINSHED_ADMIN_KEY")
    if found:
        return found
    path = _home() / "key"
    try:
        return path.read_text().strip()
    except OSError as error:
        raise FileNotFoundError(
            "there is no key: set TRAINSHED_ADMIN_KEY, or TRAINSHED_HOME to the box's directory "
            f"({path} cannot be read)"
        ) from error


def is_local(address: str) -> bool:
    """Whether the service is on this machine: no proxy stands between."""
    return urlsplit(address).hostname in LOCAL


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
    except OSError:
        return None


def _home() -> Path:
    return Path(os.environ.get("TRAINSHED_HOME") or "~/.trainshed").expanduser()
