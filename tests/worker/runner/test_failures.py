"""From what a training raised to what its owner reads."""

import errno
from typing import Any

import pytest
import torch

from worker.data import DatasetMissing
from worker.runner.failures import OutOfTime, failure_of, is_device_fault
from worker.training.divergence import Diverged

SPEC: dict[str, Any] = {
    "training": {"batch_size": 64},
    "resources": {"max_runtime_seconds": 90},
}
PATH = "/srv/secret/place"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Diverged(7, "main", "The loss", "Take less."), "diverged"),
        (DatasetMissing("cifar10", [("web", "no route")], "Put it."), "dataset_missing"),
        (OutOfTime(), "max_runtime"),
        (ValueError("widths is empty; it takes 1 to 5"), "invalid_spec"),
        (MemoryError(), "out_of_memory"),
        (torch.OutOfMemoryError("CUDA out of memory."), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 16"), "out_of_memory"),
        (RuntimeError("std::bad_alloc"), "out_of_memory"),
        (RuntimeError("can't start new thread"), "out_of_memory"),
        (torch.AcceleratorError("CUDA error: out of memory"), "out_of_memory"),
        (RuntimeError("CUDA driver error: out of memory"), "out_of_memory"),
        (RuntimeError("HIP out of memory. Tried to allocate 2 GiB"), "out_of_memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), "out_of_memory"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), "out_of_memory"),
        (
            RuntimeError("CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"),
            "out_of_memory",
        ),
        (torch.AcceleratorError("CUDA error: device-side assert triggered"), "internal"),
        (OSError(errno.ENOMEM, "Cannot allocate memory", PATH), "out_of_memory"),
        (OSError(errno.ENOSPC, "No space left on device", PATH), "disk_full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", PATH), "disk_full"),
        (OSError(errno.EIO, "Input/output error", PATH), "internal"),
        (RuntimeError(f"mat1 and mat2 in {PATH}"), "internal"),
        (KeyError(PATH), "internal"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)  # fmt: skip
def test_every_error_is_a_failure_of_one_kind_that_names_no_path(
    error: Exception, kind: str
) -> None:
    failure = failure_of(error, SPEC)

    assert failure.kind == kind
    assert failure.message
    assert failure.hint
    assert PATH not in failure.message + failure.hint


def test_a_divergence_says_at_which_step_of_which_stage() -> None:
    failure = failure_of(Diverged(7, "warm", "The loss", "Take less."), SPEC)

    assert failure.message == "The loss was not finite at step 7 of stage warm."
    assert failure.hint == "Take less."


def test_too_little_memory_names_the_batch_size_and_half_of_it() -> None:
    failure = failure_of(MemoryError(), SPEC)

    assert "batch_size 64" in failure.message
    assert "try 32" in failure.hint


def test_a_batch_of_one_image_is_not_halved() -> None:
    failure = failure_of(MemoryError(), {**SPEC, "training": {"batch_size": 1}})

    assert "it cannot be smaller" in failure.hint


def test_too_little_time_names_the_limit() -> None:
    assert "90 seconds" in failure_of(OutOfTime(), SPEC).message


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: unspecified launch failure"),
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        torch.AcceleratorError("CUDA error: uncorrectable ECC error encountered"),
        torch.AcceleratorError("CUDA error: invalid device ordinal"),
        RuntimeError("CUDA error: unspecified launch failure"),
        RuntimeError("No CUDA GPUs are available"),
        RuntimeError("CUDA driver initialization failed, you might not have a CUDA gpu."),
        RuntimeError("Unexpected error from cudaGetDeviceCount(). Error 802: not initialized"),
        RuntimeError("CUDA unknown error - this may be due to an incorrectly set up environment"),
        RuntimeError("GPU is lost"),
    ],
    ids=str,
)
def test_a_fault_of_the_gpu_or_its_driver_is_none_of_the_job_s(error: Exception) -> None:
    assert is_device_fault(error)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("CUDA driver error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        torch.AcceleratorError("CUDA error: device-side assert triggered"),
        RuntimeError("CUDA error: device-side assert triggered"),
        torch.AcceleratorError("CUDA error: invalid configuration argument"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        ValueError("GPU is lost is no name of a dataset"),
        OSError(errno.ENOSPC, "No space left on device"),
        MemoryError(),
    ],
    ids=str,
)
def test_what_the_program_did_or_memory_that_ran_out_is_no_fault_of_the_gpu(
    error: Exception,
) -> None:
    assert not is_device_fault(error)


def test_an_error_that_was_raised_from_another_is_known_by_that_one() -> None:
    """As where weights are copied to the device: torch and then we say that they do not fit."""
    fault, memory = ValueError("the state is of another network"), ValueError("the same")
    fault.__cause__ = torch.AcceleratorError("CUDA error: unspecified launch failure")
    memory.__cause__ = RuntimeError("While copying: CUDA out of memory.")

    assert is_device_fault(fault)
    assert not is_device_fault(memory)
    assert failure_of(memory, SPEC).kind == "out_of_memory"
