"""The GPU of a runner: made the current one, with a limit on the memory that the job may use."""

from typing import Any

import torch

from shared.jobs.memory_need import CONTEXT_MIB
from worker.assignment import Assignment

MIB = 2**20


def select_gpu(assignment: Assignment) -> None:
    """Make the assigned GPU the current one, and limit the memory that the job takes there.

    The limit is on what torch allocates, so CUDA's context is subtracted first. A job that reaches
    it fails as on a full GPU.
    """
    torch.cuda.set_device(assignment.index)
    limit_mib = allocation_limit_mib(assignment.memory_mib)
    if limit_mib:
        total_bytes = torch.cuda.get_device_properties(assignment.index).total_memory
        fraction = min(1.0, limit_mib * MIB / total_bytes)
        torch.cuda.set_per_process_memory_fraction(fraction, assignment.index)


def allocation_limit_mib(memory_mib: float) -> float:
    """Return how much torch may allocate of a job's memory: at least half, and 0 for no limit."""
    return max(memory_mib - CONTEXT_MIB, memory_mib / 2)


def is_limit_predicted(assignment: Assignment) -> bool:
    """Return whether a GPU job's memory is limited to a prediction, not to what its owner chose."""
    resources: dict[str, Any] = assignment.spec.get("resources") or {}
    is_chosen = bool(resources.get("gpu_memory_mib"))
    return bool(assignment.uuid) and assignment.memory_mib > 0 and not is_chosen


def used_mib() -> float | None:
    """Return the memory of the current GPU that this process takes; None on the CPU.

    It is what torch has reserved and CUDA's context. The driver's own list of processes has other
    process ids in a container.
    """
    if not torch.cuda.is_initialized():
        return None
    return torch.cuda.memory_reserved() / MIB + CONTEXT_MIB
