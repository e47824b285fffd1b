"""Where the service is and which key it takes: given, from the environment, or the box's files."""

import os
from pathlib import Path


def url(given: str | None = None) -> str:
    """The service's address: given, TRAINSHED_URL, or host and port of the box here."""
    if given or os.environ.get("TRAINSHED_URL"):
        return (given or os.environ["TRAINSHED_URL"]).rstrip("/")
    host = os.environ.get("TRAINSHED_HOST") or "127.0.0.1"
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - to connect to
    return f"http://{host}:{os.environ.get('TRAINSHED_PORT') or '8000'}"


def key(given: str | None = None) -> str:
    """The key: given, TRAINSHED_ADMIN_KEY, or what the box wrote under TRAINSHED_HOME.

    Raises:
        FileNotFoundError: there is none; the text says where it was looked for.
    """
    found = given or os.environ.get("TRAINSHED_ADMIN_KEY")
    if found:
        return found
    home = Path(os.environ.get("TRAINSHED_HOME") or "~/.trainshed").expanduser()
    try:
        return (home / "key").read_text().strip()
    except OSError as error:
        raise FileNotFoundError(
            f"there is no key: set TRAINSHED_ADMIN_KEY, or TRAINSHED_HOME to the box's directory "
            f"({home / 'key'} cannot be read)"
        ) from error
