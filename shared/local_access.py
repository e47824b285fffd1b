"""Keeps the other users of the machine out of the box's files."""

import os
import stat
from pathlib import Path

#: The files that SQLite writes next to a database.
SQLITE_SUFFIXES = ("", "-wal", "-shm")


def close_new_files() -> None:
    """Give no other user a right to what this process and its children create from now on."""
    os.umask(0o077)


def make_private(directory: Path) -> None:
    """Create a directory of mode 0700; if it exists, take the rights of others.

    A directory of another user, such as the root of a volume, keeps its mode.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _close(directory, 0o700)


def make_private_in_public(directory: Path) -> None:
    """Create a private directory in a place where every user may create files, such as `/tmp`.

    Raises:
        OSError: it is a link or belongs to another user, who could replace what is put there.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = directory.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
        raise PermissionError(
            f"{directory} is not a directory of this user, so the box's sockets would not be safe "
            "there. Remove it, or use a shorter TRAINSHED_HOME."
        )
    _close(directory, 0o700)


def close_database(path: Path) -> None:
    """Take the rights of others from an SQLite database that exists."""
    for suffix in SQLITE_SUFFIXES:
        _close(path.with_name(path.name + suffix), 0o600)


def _close(path: Path, mode: int) -> None:
    """Set the mode of a file or directory of ours that is open to others."""
    try:
        facts = path.stat()
        if facts.st_uid == os.geteuid() and facts.st_mode & 0o077:
            path.chmod(mode)
    except FileNotFoundError:
        return
