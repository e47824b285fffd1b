"""Limits that the system enforces on the checker, which reads what users send."""

import os
import resource

MEMORY_MIB = 1024
CPU_SECONDS = 3600
#: About half the share of a core, next to a training.
NICENESS = 3


def limit_process() -> None:
    """Limit the memory and the CPU time of this process for good, and lower its priority."""
    _lower(resource.RLIMIT_DATA, MEMORY_MIB * 2**20)
    _lower(resource.RLIMIT_CPU, CPU_SECONDS)
    # A crash is expected of some files; its memory image would only fill the disk.
    _lower(resource.RLIMIT_CORE, 0)
    os.nice(NICENESS)


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    lowered = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (lowered, lowered))
