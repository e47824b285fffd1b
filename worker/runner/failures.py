"""From an exception to the failure that a job carries. Nothing of the server's paths gets out."""

import errno
from collections.abc import Iterator
from typing import Any

import torch

from shared.errors import Failure
from worker.data import DatasetMissing
from worker.training.divergence import Diverged

#: How torch and its libraries say, within a RuntimeError, that memory ran out.
OUT_OF_MEMORY = (
    "can't allocate memory",
    "can't start new thread",
    "not enough memory",
    "could not create a primitive",
    "std::bad_alloc",
    "out of memory",  # of CUDA's runtime or driver, and of HIP
    "STATUS_ALLOC_FAILED",  # of cuBLAS and cuDNN
    "ALLOCATION_FAILED",
)
#: How CUDA says that the program, not the GPU, is at fault.
OF_THE_PROGRAM = (
    "device-side assert triggered",
    "invalid argument",
    "invalid configuration argument",
    "too many resources requested for launch",
)
#: How torch says, within a RuntimeError, that a GPU or its driver failed.
OF_THE_DEVICE = (
    "CUDA driver error:",
    "CUDA driver initialization failed",
    "CUDA initialization",
    "CUDA unknown error",
    "No CUDA GPUs are available",
    "Found no NVIDIA driver",
    "The NVIDIA driver on your system is too old",
    "Unexpected error from cudaGetDeviceCount",
    "uncorrectable ECC",
    "GPU is lost",
    "unspecified launch failure",
    "hardware stack error",
    "device(s) is/are busy or unavailable",
)


class OutOfTime(Exception):
    """The job reached its max_runtime_seconds; its last checkpoint is written."""


def failure_of(error: BaseException, spec: dict[str, Any]) -> Failure:
    """What to tell the job's owner.

    Args:
        error: what the training raised.
        spec: the job's specification, filled in, as it is stored.
    """
    return (
        _of_the_machine(error, spec)
        or _of_the_job(error, spec)
        or Failure(
            kind="internal",
            message=f"The training stopped on an error of the service ({type(error).__name__}).",
            hint="The job's log has the details; tell whoever runs the box.",
        )
    )


def _of_the_job(error: BaseException, spec: dict[str, Any]) -> Failure | None:
    if isinstance(error, Diverged):
        message = f"{error.what} was not finite at step {error.step} of stage {error.stage}."
        return Failure(kind="diverged", message=message, hint=error.hint)
    if isinstance(error, DatasetMissing):
        return Failure(kind="dataset_missing", message=str(error), hint=error.hint)
    if isinstance(error, OutOfTime):
        limit = spec["resources"]["max_runtime_seconds"]
        return Failure(
            kind="max_runtime",
            message=f"The job ran for {limit} seconds, its max_runtime_seconds.",
            hint="Retry it: the retry goes on from the last checkpoint.",
        )
    if isinstance(error, ValueError):
        return Failure(
            kind="invalid_spec",
            message=str(error),
            hint="Change the specification as the message says.",
        )
    return None


def _of_the_machine(error: BaseException, spec: dict[str, Any]) -> Failure | None:
    if _is_out_of_memory(error):
        batch = spec["training"]["batch_size"]
        smaller = f"try {max(1, batch // 2)}" if batch > 1 else "it cannot be smaller"
        return Failure(
            kind="out_of_memory",
            message=f"The memory did not suffice for batch_size {batch}.",
            hint=f"Take a smaller batch_size ({smaller}), smaller images or a smaller network.",
        )
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return Failure(
            kind="disk_full",
            message="The disk is full; the last complete checkpoint is kept.",
            hint="Ask whoever runs the box for room, or delete old jobs; then retry.",
        )
    return None


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return any(
        isinstance(one, (MemoryError, torch.OutOfMemoryError)) or _says(one, OUT_OF_MEMORY)
        for one in _with_causes(error)
    )


def is_device_fault(error: BaseException) -> bool:
    """Whether the GPU or its driver failed: not the job's fault, and elsewhere it may go well."""
    return not _is_out_of_memory(error) and any(
        isinstance(one, torch.AcceleratorError) or _says(one, OF_THE_DEVICE)
        for one in _with_causes(error)
        if not _says(one, OF_THE_PROGRAM)
    )


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__


def _says(error: BaseException, texts: tuple[str, ...]) -> bool:
    return isinstance(error, RuntimeError) and any(text in str(error) for text in texts)
