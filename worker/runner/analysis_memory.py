"""The memory that an analysis needs, against what it may use."""

import torch

from shared.settings import Settings
from worker.assignment import Assignment
from worker.runner.gpu import allocation_limit_mib
from worker.runner.residency import machine_bytes

MIB = 2**20


def available_mib(assignment: Assignment, settings: Settings) -> float:
    """Return the memory that an analysis may use from now on."""
    if assignment.uuid:
        free_bytes, _ = torch.cuda.mem_get_info()
        limit_mib = allocation_limit_mib(assignment.memory_mib)
        return min(free_bytes / MIB, limit_mib or free_bytes / MIB)
    machine_mib = machine_bytes() / MIB
    return min(machine_mib, settings.runner_memory_mib or machine_mib)


def check_available(predicted_mib: float, available: float) -> None:
    """Refuse an analysis that cannot fit into the memory that is available.

    Raises:
        MemoryError: with both numbers.
    """
    if predicted_mib > available:
        raise MemoryError(
            f"It needs about {predicted_mib:,.0f} MiB of memory, and {available:,.0f} MiB are "
            "available."
        )


def exceeded(predicted_mib: float, available: float) -> MemoryError:
    """Return the error of an analysis that took more than was predicted and available."""
    return MemoryError(
        f"About {predicted_mib:,.0f} MiB of memory were predicted, and it needs more than the "
        f"{available:,.0f} MiB that were available."
    )
