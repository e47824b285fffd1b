"""Exclusion on one machine: `flock`, which the kernel releases with the process that held it."""

import fcntl
import os
from pathlib import Path

from shared.settings import Settings


class Lock:
    """A lock file that is held until the process ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def take(self) -> bool:
        """Take the lock without waiting; return whether it is ours."""
        if self._file is not None:
            return True
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
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


def device_lock(settings: Settings, device: str) -> Lock:
    """The lock that whoever uses a device holds."""
    return Lock(settings.locks / f"device-{device.replace(':', '-')}.lock")


def is_held(lock: Lock) -> bool:
    """Whether some process holds the lock now."""
    if not lock.path.exists():
        return False
    if lock.take():
        lock.release()
        return False
    return True
