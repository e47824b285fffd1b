"""Processes by id and start time, so that a number used again is never taken for the old one."""

import os
import signal
import time
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def started_at(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None if it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def remember(path: Path, pid: int) -> None:
    """Write a process down: its number, when it started, and since which boot that counts."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(f"{pid} {started_at(pid) or 0} {_boot()}\n")
    temporary.replace(path)


def recall(path: Path) -> int | None:
    """The process that was written down, if it still lives."""
    try:
        pid, started, boot = path.read_text().split()
        is_same = int(started) != 0 and boot == _boot() and started_at(int(pid)) == int(started)
    except (OSError, ValueError):
        return None
    return int(pid) if is_same else None


def ask_to_end(pid: int) -> None:
    """SIGTERM, if it is still there."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return


def end(pid: int, *, grace_seconds: float) -> None:
    """End a process that is not our child: SIGTERM, then SIGKILL. 0 seconds: SIGKILL at once."""
    started = started_at(pid)
    deadline = time.monotonic() + grace_seconds
    number = signal.SIGTERM if grace_seconds else signal.SIGKILL
    while started is not None and started_at(pid) == started:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        while time.monotonic() < deadline and started_at(pid) == started:
            time.sleep(0.05)
        if number == signal.SIGKILL:
            time.sleep(0.05)
        number = signal.SIGKILL


def runners(home: Path) -> list[int]:
    """The trainings and spares of this home."""
    found = []
    wanted = f"TRAINSHED_HOME={home}".encode()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            command = (directory / "cmdline").read_bytes().split(b"\0")
            if b"worker.runner" in command:
                environment = (directory / "environ").read_bytes().split(b"\0")
                if wanted in environment:
                    found.append(int(directory.name))
        except OSError:
            continue
    return found


def _boot() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return "unknown"
