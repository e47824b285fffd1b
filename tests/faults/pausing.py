"""Has a process stand still for a while, so that a test does not race with it."""

import os
import signal
from pathlib import Path

from tests.box_driver import BoxDriver


def pause(box: BoxDriver, pid: int) -> None:
    """Stop it outside of its own writes: within one it would hold up everybody else's."""
    with box.database.write():
        os.kill(pid, signal.SIGSTOP)
        box.until(lambda: _stands_still(pid), f"process {pid} to stand still")


def resume(pid: int) -> None:
    """Let it go on."""
    os.kill(pid, signal.SIGCONT)


def _stands_still(pid: int) -> bool:
    """Whether all its threads do: each stops for itself, when its call to the kernel is over."""
    try:
        threads = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:  # one has ended since they were listed
        return False
    return {text.rpartition(")")[2].split()[0] for text in threads} == {"T"}
