"""Suspend a process, so that a test does not race with it."""

import os
import signal
from pathlib import Path

from tests.box_driver import BoxDriver


def suspend(box: BoxDriver, pid: int) -> None:
    """Stop a process while it is not writing: inside a write it would block every other writer."""
    with box.database.write():
        os.kill(pid, signal.SIGSTOP)
        box.wait_until(lambda: _is_suspended(pid), f"process {pid} to be suspended")


def unsuspend(pid: int) -> None:
    """Let a suspended process run."""
    os.kill(pid, signal.SIGCONT)


def _is_suspended(pid: int) -> bool:
    """Return whether all threads are stopped: each stops only when its system call has returned."""
    try:
        threads = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:  # a thread has ended since they were listed
        return False
    return {text.rpartition(")")[2].split()[0] for text in threads} == {"T"}
