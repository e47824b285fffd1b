"""Preconditions of a start: the lock on the home directory, and the API's port."""

import errno
import fcntl
import os
import socket
from pathlib import Path

from shared.settings import Settings


class CannotStart(Exception):
    """The box cannot start; the text states the reason and what to do."""


def lock_home(settings: Settings) -> int:
    """Lock the home and return the lock's file descriptor; the kernel releases it with the process.

    Raises:
        CannotStart: another box runs in this home.
    """
    path = _lock_file(settings)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise CannotStart(
            f"A box is already running in {settings.home}. Stop it, or set TRAINSHED_HOME and "
            "TRAINSHED_PORT to run a second box."
        ) from None
    return file


def is_home_locked(settings: Settings) -> bool:
    """Return whether a box is running in this home."""
    try:
        file = os.open(_lock_file(settings), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def check_port(settings: Settings) -> None:
    """Check that the API can listen at its address.

    Raises:
        CannotStart: it cannot.
    """
    with socket.socket(_family(settings.host), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            remedy = "TRAINSHED_HOST to an address of this machine"
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                remedy = "TRAINSHED_PORT to a free port"
            raise CannotStart(
                f"The API cannot listen at {settings.host}, port {settings.port} "
                f"({error.strerror}). Set {remedy}."
            ) from None


def free_port(host: str) -> int:
    """Return a port of `host` that is not in use."""
    with socket.create_server((host, 0), family=_family(host)) as server:
        return server.getsockname()[1]


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _lock_file(settings: Settings) -> Path:
    return settings.home / "run" / "box.lock"
