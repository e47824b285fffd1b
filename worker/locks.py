"""Mutual exclusion on one machine by `flock`, which the kernel releases when its holder exits.

The lock file holds the process id of its holder, so that a runner can be found which has not sent
a heartbeat yet.
"""

import fcntl
import os
import re
import time
from pathlib import Path

from shared.settings import Settings

RETRY_SECONDS = 0.05


class Lock:
    """A lock file that is held until it is released or the process ends.

    Args:
        path: of the file.
        is_shared: whether other processes may hold it too that share it.
    """

    def __init__(self, path: Path, *, is_shared: bool = False) -> None:
        self.path = path
        self.is_shared = is_shared
        self._file: int | None = None

    def acquire(self, *, timeout_seconds: float = 0.0) -> bool:
        """Acquire the lock, waiting for at most the timeout; return whether it is ours.

        Raises:
            OSError: the file cannot be created or written, for example on a full disk.
        """
        deadline = time.monotonic() + timeout_seconds
        while not self._try_acquire():
            if time.monotonic() >= deadline:
                return False
            time.sleep(RETRY_SECONDS)
        return True

    def _try_acquire(self) -> bool:
        if self._file is not None:
            return True
        file = _open_locked(self.path, is_shared=self.is_shared)
        if file is None:
            return False
        try:
            os.ftruncate(file, 0)
            os.write(file, f"{os.getpid()}\n".encode())
        except OSError:  # a full disk: a lock that does not name its holder is of no use
            os.close(file)
            raise
        self._file = file
        return True

    @property
    def file(self) -> int | None:
        """The descriptor that holds the lock, also for a child that inherits it."""
        return self._file

    def release(self) -> None:
        """Release the lock if it is held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def job_lock(settings: Settings, job_id: str) -> Lock:
    """Return the lock that a job's runner holds."""
    return Lock(settings.locks / f"{job_id}.lock")


def device_lock(settings: Settings, device: str, uuid: str, *, is_shared: bool = False) -> Lock:
    """Return the lock that the runner on a device holds, or each of the runners that share it.

    A GPU is identified by its uuid: "cuda:0" is a different GPU in each container that shares
    this home directory.
    """
    path = settings.locks / f"device-{_file_name(uuid or device)}.lock"
    return Lock(path, is_shared=is_shared)


def check_lock(settings: Settings, dataset_id: str) -> Lock:
    """Return the lock that the check of an uploaded data set holds."""
    return Lock(settings.locks / f"check-{dataset_id}.lock")


def worker_lock(settings: Settings, worker: str) -> Lock:
    """Return a worker's lock: two workers of one name would adopt each other's runners."""
    return Lock(settings.locks / f"worker-{_file_name(worker)}.lock")


def is_held(lock: Lock) -> bool:
    """Return whether any process holds the lock now."""
    if not lock.path.exists():
        return False
    file = _open_locked(lock.path)
    if file is None:
        return True
    os.close(file)
    return False


def holder_pid(lock: Lock) -> int | None:
    """Return the process that acquired the lock last, which need not hold it any more."""
    try:
        return int(lock.path.read_text())
    except (OSError, ValueError):
        return None


def _open_locked(path: Path, *, is_shared: bool = False) -> int | None:
    """Open the file and lock it; return None if it is locked already."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]", "-", name)
