"""Returns memory to the system after many connections have left."""

import ctypes
import gc


def free_memory() -> None:
    """Free what is not used; glibc keeps freed memory below its last allocation otherwise."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):  # another C library
        return
