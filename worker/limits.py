"""Limits that the system enforces on a process which handles what users send."""

import os
import resource

#: About half the share of a core: next to a training, a table is still read in time.
NICENESS = 3


def limit_process(memory_bytes: int, *, is_background: bool) -> None:
    """Limit the memory of this process for good.

    Args:
        memory_bytes: private memory that can be written, with what it has already.
            `RLIMIT_AS` would count the libraries and address space that torch only reserves.
        is_background: whether other processes come first when cores are scarce.
    """
    lower_limit(resource.RLIMIT_DATA, memory_bytes)
    # A crash is expected of some files; its memory image would only fill the disk.
    lower_limit(resource.RLIMIT_CORE, 0)
    if is_background:
        os.nice(NICENESS)


def lower_limit(kind: int, value: int) -> None:
    """Lower a limit for good; a limit that is lower already stays."""
    _, hard = resource.getrlimit(kind)
    lowered = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (lowered, lowered))
