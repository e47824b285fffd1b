"""The limits of a process that handles requests to the sidecar."""

import resource
from pathlib import Path

from worker.limits import limit_process, lower_limit
from worker.sidecar.request import Operation

STATUS = Path("/proc/self/status")
#: A file, its directory, the connection, the log, and what libraries keep open.
MAX_OPEN_FILES = 128


def limit_operation(operation: Operation) -> None:
    """Limit memory and open files of this process for good, and lower its priority."""
    memory_bytes = _allocated_bytes() + operation.memory_mib * 2**20
    limit_process(memory_bytes, is_background=operation.is_background)
    lower_limit(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)


def allow_cpu_seconds(seconds: int) -> None:
    """Let the system end this process with SIGXCPU after this much more CPU time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def _allocated_bytes() -> int:
    """Return what the kernel counts against `RLIMIT_DATA`."""
    for line in STATUS.read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"{STATUS} has no VmData.")
