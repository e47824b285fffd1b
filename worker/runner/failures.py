"""Maps an exception to the failure that a job shows. Messages contain no path of the server."""

import errno
from collections.abc import Iterator
from typing import Any

import torch

from shared.errors import Failure
from shared.jobs.findings import NewFinding
from worker.data import DatasetMissing
from worker.registry import SpecError
from worker.training.checkpoint import CheckpointCorrupt
from worker.training.divergence import Diverged

#: Parts of a RuntimeError's message by which torch and its libraries report a lack of memory.
OUT_OF_MEMORY_TEXTS = (
    "can't allocate memory",
    "can't start new thread",
    "not enough memory",
    "could not create a primitive",
    "std::bad_alloc",
    "out of memory",  # of CUDA's runtime or driver, and of HIP
    "STATUS_ALLOC_FAILED",  # of cuBLAS and cuDNN
    "ALLOCATION_FAILED",
)
#: Parts of CUDA's message when the program is at fault, not the GPU.
PROGRAM_ERROR_TEXTS = (
    "device-side assert triggered",
    "invalid argument",
    "invalid configuration argument",
    "too many resources requested for launch",
)
#: Parts of a RuntimeError's message by which torch reports that a GPU or its driver failed.
DEVICE_FAULT_TEXTS = (
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


class MaxRuntimeReached(Exception):
    """The job reached its max_runtime_seconds."""

    def __init__(self, limit_seconds: int | None, step: int | None = None) -> None:
        #: A user may have changed it since the job started.
        self.limit_seconds = limit_seconds
        #: The step of the checkpoint that was written at the end; None where no step ended.
        self.step = step
        super().__init__(limit_seconds, step)


class Diagnosed(Exception):
    """An error was found, and the specification lets errors end the job."""

    def __init__(self, finding: NewFinding, job_id: str, *, step: int, steps: int) -> None:
        self.finding, self.job_id = finding, job_id
        #: The steps that were taken, and the steps of the whole job.
        self.step, self.steps = step, steps
        super().__init__(finding.rule)


def failure_of(error: BaseException, spec: dict[str, Any]) -> Failure:
    """Return the failure that the job's owner reads.

    Args:
        error: the exception that ended the attempt.
        spec: the job's filled specification, as it is stored.
    """
    return (
        _resource_failure(error, spec)
        or _diagnosed(error)
        or _job_failure(error)
        or Failure(
            kind="internal",
            message=f"The job stopped because of an error in the service: {type(error).__name__}.",
            hint="The job's log has the details. Report it to the administrator.",
        )
    )


def _job_failure(error: BaseException) -> Failure | None:
    """Return the failure where the specification, the data or the training is its cause."""
    if isinstance(error, Diverged):
        message = f"{error.what} was not finite at step {error.step} of stage {error.stage}."
        return Failure(kind="diverged", message=message, hint=error.hint)
    if isinstance(error, DatasetMissing):
        return Failure(kind="dataset_missing", message=str(error), hint=error.hint)
    if isinstance(error, MaxRuntimeReached):
        limit = error.limit_seconds
        kept = "" if error.step is None else f"; the checkpoint of step {error.step} is kept"
        return Failure(
            kind="max_runtime",
            message=f"The job reached its max_runtime_seconds of {limit}{kept}.",
            hint="Retry the job: it resumes from the last checkpoint.",
        )
    if isinstance(error, CheckpointCorrupt):
        return Failure(
            kind="internal",
            message=f"The last checkpoint is damaged, so it cannot be tested. {error}",
            hint="Retry the job: it resumes from the newest checkpoint that can be read.",
        )
    if isinstance(error, SpecError):
        return Failure(
            kind="invalid_spec",
            message=str(error),
            hint="Correct the specification and submit it as a new job.",
        )
    return None


def _diagnosed(error: BaseException) -> Failure | None:
    """Return the failure where a finding ended the job."""
    if not isinstance(error, Diagnosed):
        return None
    data = error.finding.data
    command = f"`trainshed fork {error.job_id} --finding {error.finding.id}`"
    patches, hint = data.get("patches"), "The job's findings have the evidence."
    left = error.steps - error.step
    return Failure(
        kind="diagnosed",
        message=f"{error.finding.rule}: {data['sentence']}. The job ended at step {error.step} of "
        f"{error.steps}, which saves {left} step{'' if left == 1 else 's'}.",
        hint=f"Try {patches[0]['expects']}: {command}." if patches else hint,
    )


def _resource_failure(error: BaseException, spec: dict[str, Any]) -> Failure | None:
    """Return the failure where memory or disk space ran out."""
    if is_out_of_memory(error):
        batch_size = spec["training"]["batch_size"]
        smaller = f"batch_size {batch_size // 2}, " if batch_size > 1 else ""
        return Failure(
            kind="out_of_memory",
            message=f"Out of memory at batch_size {batch_size}.",
            hint=f"Try {smaller}smaller images or a smaller network.{_limit_hint(spec)}",
        )
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return Failure(
            kind="disk_full",
            message="The disk is full. The last complete checkpoint is kept.",
            hint="Delete old jobs, or ask the administrator for disk space; then retry the job.",
        )
    return None


def _limit_hint(spec: dict[str, Any]) -> str:
    limit_mib = (spec.get("resources") or {}).get("gpu_memory_mib")
    return f" On a GPU this job may use {limit_mib} MiB (gpu_memory_mib)." if limit_mib else ""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return any(
        isinstance(cause, (MemoryError, torch.OutOfMemoryError))
        or _mentions(cause, OUT_OF_MEMORY_TEXTS)
        for cause in _with_causes(error)
    )


def is_device_fault(error: BaseException) -> bool:
    """Return whether the GPU or its driver failed, so that the job may succeed on another GPU."""
    return not is_out_of_memory(error) and any(
        isinstance(cause, torch.AcceleratorError) or _mentions(cause, DEVICE_FAULT_TEXTS)
        for cause in _with_causes(error)
        if not _mentions(cause, PROGRAM_ERROR_TEXTS)
    )


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error, and the errors that it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__


def _mentions(error: BaseException, texts: tuple[str, ...]) -> bool:
    return isinstance(error, RuntimeError) and any(text in str(error) for text in texts)
