"""A limit on the memory of a process that trains on the CPU."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def limited_memory(mib: int) -> Iterator[None]:
    """Limit the address space within the block, so that a failure can be recorded after it.

    Args:
        mib: the limit; 0 for none.
    """
    before = resource.getrlimit(resource.RLIMIT_AS)
    if mib:
        resource.setrlimit(resource.RLIMIT_AS, (mib * 2**20, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
