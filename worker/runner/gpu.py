"""The GPU of a runner: made the current one, with a limit on the memory that the job may use."""

from typing import Any

import torch

from worker.assignment import Assignment


def select_gpu(assignment: Assignment) -> None:
    """Make the assigned GPU the current one, and limit its memory to the job's `gpu_memory_mib`.

    The limit is on what torch allocates; the driver takes some hundred MiB for itself. A job that
    reaches it fails as on a full GPU.
    """
    torch.cuda.set_device(assignment.index)
    resources: dict[str, Any] = assignment.spec.get("resources") or {}
    limit_mib = resources.get("gpu_memory_mib")
    if limit_mib:
        total_bytes = torch.cuda.get_device_properties(assignment.index).total_memory
        fraction = min(1.0, limit_mib * 2**20 / total_bytes)
        torch.cuda.set_per_process_memory_fraction(fraction, assignment.index)
