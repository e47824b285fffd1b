"""Keys that `trainshed login` stores: one for each service, in a file that only its owner can read.

The file is logins.json under TRAINSHED_HOME, by default ~/.trainshed.
"""

import json
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainshed.errors import WrongUsage
from trainshed.home import client_home

DIRECTORY_MODE = 0o700


def logins_path() -> Path:
    """Return the file of the stored keys.

    Raises:
        WrongUsage: TRAINSHED_HOME cannot be resolved.
    """
    return client_home() / "logins.json"


def find_key(url: str) -> str | None:
    """Return the stored key of a service, or None."""
    return _read()["keys"].get(url)


def default_url() -> str | None:
    """Return the service of the last login, or None."""
    return _read()["default"]


def store_key(url: str, key: str) -> Path:
    """Store the key of a service, which becomes the default; return the file."""
    stored = _read()
    return _write({"default": url, "keys": {**stored["keys"], url: key}})


def forget_key(url: str) -> bool:
    """Delete the stored key of a service; return whether there was one."""
    stored = _read()
    if url not in stored["keys"]:
        return False
    keys = {other: key for other, key in stored["keys"].items() if other != url}
    default = stored["default"] if stored["default"] in keys else None
    _write({"default": default, "keys": keys})
    return True


def _read() -> dict[str, Any]:
    """Return the stored keys.

    Raises:
        WrongUsage: others can read the file, or it is damaged.
    """
    path = logins_path()
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text()
    except (FileNotFoundError, NotADirectoryError):
        return {"default": None, "keys": {}}
    except OSError as error:
        raise WrongUsage(f"{path} cannot be read: {error.strerror}.") from error
    if mode & 0o077:
        raise WrongUsage(
            f"{path} has the mode {mode:o}, so that others can read your keys. Run `chmod 600 "
            f"{path}`, and replace the keys with `trainshed keys rotate`."
        )
    try:
        stored = json.loads(text)
        keys = {str(url): str(key) for url, key in stored["keys"].items()}
        default = stored["default"] if stored["default"] in keys else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WrongUsage(f"{path} is damaged. Delete it and log in again.") from error
    return {"default": default, "keys": keys}


def _write(stored: dict[str, Any]) -> Path:
    """Replace the file as a whole, so that no reader finds half of it."""
    path = logins_path()
    path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    # mkstemp creates the file with the mode 0600.
    handle, name = tempfile.mkstemp(prefix=".logins-", dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(stored, file, indent=2)
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    return path
