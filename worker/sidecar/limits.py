"""Limits that the system enforces on a process which handles what users send."""

import os
import resource
from pathlib import Path

from worker.sidecar.request import Operation

STATUS = Path("/proc/self/status")
#: A file, its directory, the connection, the log, and what libraries keep open.
MAX_OPEN_FILES = 128
#: About half the share of a core: next to a training, a table is still read in time.
NICENESS = 3


def limit_process(operation: Operation) -> None:
    """Limit memory and open files of this process for good, and lower its priority."""
    _set(resource.RLIMIT_DATA, _allocated_bytes() + operation.memory_mib * 2**20)
    _set(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    # A crash is expected of some files; its memory image would only fill the disk.
    _set(resource.RLIMIT_CORE, 0)
    if operation.is_background:
        os.nice(NICENESS)


def allow_cpu_seconds(seconds: int) -> None:
    """Let the system end this process with SIGXCPU after this much more CPU time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def _set(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    lowered = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (lowered, lowered))


def _allocated_bytes() -> int:
    """Return what the kernel counts against `RLIMIT_DATA`: private memory that can be written.

    `RLIMIT_AS` would count the libraries and address space that torch only reserves.
    """
    for line in STATUS.read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"{STATUS} has no VmData.")
