"""What a box needs before it starts: its home for itself, and its port."""

import errno
import fcntl
import os
import socket
from pathlib import Path

from shared.settings import Settings


class Refusal(Exception):
    """The box cannot start, and says why."""


def take_home(settings: Settings) -> int:
    """Lock the home and return the lock, which the kernel releases with the process.

    Raises:
        Refusal: another box has it.
    """
    path = _lock_file(settings)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise Refusal(
            f"a box is running in {settings.home} already; stop it, or set TRAINSHED_HOME (and "
            "TRAINSHED_PORT) for another one beside it"
        ) from None
    return file


def is_taken(settings: Settings) -> bool:
    """Whether a box is running in this home."""
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
    """See that the API will be able to listen.

    Raises:
        Refusal: it will not.
    """
    with socket.socket(_family(settings.host), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            todo = "TRAINSHED_HOST to an address of this machine"
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                todo = "TRAINSHED_PORT to a free one"
            raise Refusal(
                f"port {settings.port} of {settings.host} cannot be used ({error.strerror}); set "
                f"{todo}"
            ) from None


def free_port(host: str) -> int:
    """A port that nobody listens on."""
    with socket.create_server((host, 0), family=_family(host)) as server:
        return server.getsockname()[1]


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _lock_file(settings: Settings) -> Path:
    return settings.home / "run" / "box.lock"
