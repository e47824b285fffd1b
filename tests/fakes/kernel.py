"""A fake of the kernel's counters."""

from dataclasses import dataclass


@dataclass
class FakeKernel:
    """The kernel's count of processes killed for memory."""

    kills: int
