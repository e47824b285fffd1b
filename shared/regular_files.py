"""Opens files below a directory into which others may put files: regular files only, no links.

A link would let its maker read what only the service can read; a FIFO or a device never ends.
"""

import errno
import os
import stat
from pathlib import Path, PurePosixPath
from typing import BinaryIO


class NotRegular(OSError):
    """The path is a link, a FIFO, a device or a directory, or leads through a link."""


def open_regular(root: Path, relative: str | PurePosixPath) -> BinaryIO:
    """Open a file for reading, without following a link below the root and without waiting.

    Args:
        root: the directory; it may itself be a link, since only the administrator makes it.
        relative: the file's path below it, without `..`.

    Raises:
        FileNotFoundError: the file does not exist.
        NotRegular: it is no regular file, or a directory on the way is a link.
        OSError: it cannot be read.
    """
    *directories, name = PurePosixPath(relative).parts or ("",)
    if not name or "\0" in str(relative):
        raise NotRegular("the path names no file")
    if ".." in directories or name == ".." or PurePosixPath(relative).is_absolute():
        raise NotRegular(f"{relative} leads out of the directory")
    parent = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for directory in directories:
            below = _open(directory, os.O_DIRECTORY, parent)
            os.close(parent)
            parent = below
        # Without O_NONBLOCK the call would wait for a FIFO's writer.
        descriptor = _open(name, os.O_NONBLOCK, parent)
    finally:
        os.close(parent)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegular(f"{name} is no regular file")
    return os.fdopen(descriptor, "rb")


def is_regular(root: Path, relative: str | PurePosixPath) -> bool:
    """Return whether `open_regular` opens a file."""
    try:
        open_regular(root, relative).close()
    except OSError:
        return False
    return True


def _open(name: str, flags: int, parent: int) -> int:
    if stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        raise NotRegular(f"{name} is a link")
    try:
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | flags, dir_fd=parent)
    except NotADirectoryError as error:
        raise NotRegular(f"{name} is no directory") from error
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link that was put there in between
            raise NotRegular(f"{name} is a link") from error
        raise
