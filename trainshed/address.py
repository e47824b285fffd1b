"""The address and the key of the service: from an argument, the environment or the local box."""

import os

import httpx

from trainshed.errors import WrongUsage
from trainshed.home import client_home
from trainshed.logins import default_url, find_key

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
MAX_PORT = 65_535


def service_url(url: str | None = None) -> str:
    """Return the service's address.

    Args:
        url: the address; otherwise TRAINSHED_URL, then TRAINSHED_HOST and TRAINSHED_PORT, then the
            address that the box wrote under TRAINSHED_HOME, then the service of the last
            `trainshed login`, then the default.

    Raises:
        WrongUsage: the address is not valid, or TRAINSHED_HOME cannot be resolved.
    """
    chosen = url or os.environ.get("TRAINSHED_URL") or _from_host_and_port() or _written_url()
    chosen = (chosen or default_url() or "http://127.0.0.1:8000").rstrip("/")
    if fault := _fault(chosen):
        raise WrongUsage(
            f"{chosen!r} is not an address of a service: {fault}. Use http://HOST:PORT or "
            "https://HOST."
        )
    return chosen


def service_key(key: str | None = None, *, url: str | None = None) -> str:
    """Return the key.

    Args:
        key: the key; otherwise TRAINSHED_ADMIN_KEY, then the key that `trainshed login` stored for
            this service, then the key that the box wrote under TRAINSHED_HOME.
        url: the service's address; by default that of `service_url`.

    Raises:
        FileNotFoundError: there is no key; the text names the file.
        WrongUsage: the key holds characters that no key has.
    """
    chosen = key or os.environ.get("TRAINSHED_ADMIN_KEY")
    chosen = chosen or find_key(url or service_url()) or _written_key()
    if not chosen.isprintable():
        raise WrongUsage("The key holds characters that are not printable, such as a line break.")
    return chosen


def is_local(url: str) -> bool:
    """Return whether the service is on this machine, so that no proxy is needed."""
    return httpx.URL(url).host in LOCAL_HOSTS


def _fault(url: str) -> str | None:
    """Return why a text is not a valid address; None if it is."""
    try:
        parsed = httpx.URL(url)
        parsed.host.encode("idna")  # as the socket encodes it
    except (httpx.InvalidURL, UnicodeError) as error:
        return str(error)
    if parsed.scheme not in {"http", "https"}:
        return "it does not begin with http:// or https://"
    if not parsed.host:
        return "it names no host"
    if (parsed.port or 0) > MAX_PORT:
        return f"its port is above {MAX_PORT}"
    return None


def _from_host_and_port() -> str | None:
    host, port = os.environ.get("TRAINSHED_HOST"), os.environ.get("TRAINSHED_PORT")
    if not host and not port:
        return None
    # A server can listen on all addresses; a client needs one of them.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host or "", host or "127.0.0.1")  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{port or '8000'}"


def _written_url() -> str | None:
    try:
        return (client_home() / "run" / "address").read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None


def _written_key() -> str:
    path = client_home() / "key"
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise FileNotFoundError(
            f"No key: {path} cannot be read. Set TRAINSHED_ADMIN_KEY to the key, run `trainshed "
            "login`, or set TRAINSHED_HOME to the box's directory."
        ) from error
