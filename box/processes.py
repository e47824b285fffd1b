"""Processes identified by id and start time, since the kernel reuses ids."""

import os
import signal
import time
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None if it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def write_pid_file(path: Path, pid: int) -> None:
    """Write a process's id, its start time and the id of the boot to a file."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(f"{pid} {start_ticks(pid) or 0} {_boot_id()}\n")
    temporary.replace(path)


def read_pid_file(path: Path) -> int | None:
    """Return the id of the process that was written to the file if it still runs, else None."""
    try:
        pid, ticks, boot_id = path.read_text().split()
        is_same = int(ticks) != 0 and boot_id == _boot_id() and start_ticks(int(pid)) == int(ticks)
    except (OSError, ValueError):
        return None
    return int(pid) if is_same else None


def terminate(pid: int) -> None:
    """Send SIGTERM, unless the process is gone."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return


def end(pid: int, *, grace_seconds: float) -> None:
    """End a process that is not our child: SIGTERM, then SIGKILL. 0 seconds: SIGKILL at once."""
    ticks = start_ticks(pid)
    deadline = time.monotonic() + grace_seconds
    number = signal.SIGTERM if grace_seconds else signal.SIGKILL
    while ticks is not None and start_ticks(pid) == ticks:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        while time.monotonic() < deadline and start_ticks(pid) == ticks:
            time.sleep(0.05)
        if number == signal.SIGKILL:
            time.sleep(0.05)
        number = signal.SIGKILL


def processes_of(home: Path) -> dict[int, str]:
    """Return the processes that have this home in their environment: command line by id."""
    home_variable, found = f"TRAINSHED_HOME={home}".encode(), {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if home_variable in (directory / "environ").read_bytes().split(b"\0"):
                command = (directory / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
                if command:
                    found[int(directory.name)] = command.decode(errors="replace")
        except OSError:  # another user's process, or it has just ended
            continue
    return found


def runner_pids(home: Path) -> list[int]:
    """Return the processes of this home that train, and its spare runners."""
    return [
        pid for pid, command in processes_of(home).items() if "worker.runner" in command.split()
    ]


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return "unknown"
