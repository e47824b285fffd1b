"""Exclusion on one machine: `flock`, which the kernel releases with the process that held it.

The file says which process holds it, so that a runner can be found that never told the database.
"""

import fcntl
import os
import re
import time
from pathlib import Path

from shared.settings import Settings

PAUSE_SECONDS = 0.05


class Lock:
    """A lock file that is held until the process ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def take(self, *, patience_seconds: float = 0.0) -> bool:
        """Take the lock, waiting for at most so long; return whether it is ours.

        Raises:
            OSError: the file cannot be made or written, such as on a full disk.
        """
        deadline = time.monotonic() + patience_seconds
        while not self._try():
            if time.monotonic() >= deadline:
                return False
            time.sleep(PAUSE_SECONDS)
        return True

    def _try(self) -> bool:
        if self._file is not None:
            return True
        file = _locked(self.path)
        if file is None:
            return False
        try:
            os.ftruncate(file, 0)
            os.write(file, f"{os.getpid()}\n".encode())
        except OSError:  # a full disk: a lock that names nobody is none
            os.close(file)
            raise
        self._file = file
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def job_lock(settings: Settings, job_id: str) -> Lock:
    """The lock that a job's runner holds."""
    return Lock(settings.locks / f"{job_id}.lock")


def device_lock(settings: Settings, device: str, uuid: str) -> Lock:
    """The lock that whoever uses a device holds.

    A GPU goes by its uuid: "cuda:0" is another card in each container that shares this home.
    """
    return Lock(settings.locks / f"device-{_plain(uuid or device)}.lock")


def worker_lock(settings: Settings, worker: str) -> Lock:
    """The lock of a worker: two of one name would take each other's runners for their own."""
    return Lock(settings.locks / f"worker-{_plain(worker)}.lock")


def is_held(lock: Lock) -> bool:
    """Whether some process holds the lock now."""
    if not lock.path.exists():
        return False
    file = _locked(lock.path)
    if file is None:
        return True
    os.close(file)
    return False


def holder(lock: Lock) -> int | None:
    """The process that took the lock last; only while the lock is held is it that one's."""
    try:
        return int(lock.path.read_text())
    except (OSError, ValueError):
        return None


def _locked(path: Path) -> int | None:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]", "-", name)
