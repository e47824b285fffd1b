import errno
from typing import Any

import pytest
import torch

from worker.data import DatasetMissing
from worker.registry import SpecError
from worker.runner.failures import MaxRuntimeReached, failure_of, is_device_fault
from worker.training.divergence import Diverged

SPEC: dict[str, Any] = {
    "training": {"batch_size": 64},
    "resources": {"max_runtime_seconds": 7200},
}
PATH = "/srv/secret/place"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Diverged(7, "main", "The loss", "Take less."), "diverged"),
        (DatasetMissing("cifar10", [("web", "no route")], "Put it."), "dataset_missing"),
        (MaxRuntimeReached(3600), "max_runtime"),
        (SpecError("widths is empty; it takes 1 to 5"), "invalid_spec"),
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
        (ValueError(f"expected 3 values in {PATH}"), "internal"),
        (KeyError(PATH), "internal"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)  # fmt: skip
def test_every_exception_is_a_failure_of_one_kind_without_a_path(
    error: Exception, kind: str
) -> None:
    failure = failure_of(error, SPEC)

    assert failure.kind == kind
    assert failure.message
    assert failure.hint
    assert PATH not in failure.message + failure.hint


def test_a_value_error_does_not_blame_the_specification() -> None:
    """Libraries raise ValueError for faults of the service; only SpecError is the user's."""
    failure = failure_of(ValueError("expected 3 values"), SPEC)

    assert failure.kind == "internal"
    assert failure.message == "The job stopped because of an error in the service: ValueError."


def test_a_spec_error_is_shown_as_it_is() -> None:
    failure = failure_of(SpecError("`widths` is []; it takes 1 to 5 values."), SPEC)

    assert failure.message == "`widths` is []; it takes 1 to 5 values."
    assert failure.hint == "Correct the specification and submit it as a new job."


def test_a_divergence_names_the_step_and_the_stage() -> None:
    failure = failure_of(Diverged(7, "warm", "The loss", "Take less."), SPEC)

    assert failure.message == "The loss was not finite at step 7 of stage warm."
    assert failure.hint == "Take less."


def test_out_of_memory_names_the_batch_size_and_suggests_half_of_it() -> None:
    failure = failure_of(MemoryError(), SPEC)

    assert failure.message == "Out of memory at batch_size 64."
    assert failure.hint == "Try batch_size 32, smaller images or a smaller network."


def test_a_batch_of_one_image_cannot_be_halved() -> None:
    failure = failure_of(MemoryError(), {**SPEC, "training": {"batch_size": 1}})

    assert failure.message == "Out of memory at batch_size 1."
    assert failure.hint == "Try smaller images or a smaller network."


def test_max_runtime_names_the_limit() -> None:
    failure = failure_of(MaxRuntimeReached(7200), SPEC)

    assert failure.message == "The job reached its max_runtime_seconds of 7200."
    assert failure.hint == "Retry the job: it resumes from the last checkpoint."


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
def test_errors_of_the_gpu_or_its_driver_are_device_faults(error: Exception) -> None:
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
def test_errors_of_the_program_and_lack_of_memory_are_no_device_faults(error: Exception) -> None:
    assert not is_device_fault(error)


def test_the_cause_of_an_exception_decides() -> None:
    """Torch fails while weights are copied to the device, and our code then refuses the weights."""
    fault = SpecError("the weights belong to another network")
    fault.__cause__ = torch.AcceleratorError("CUDA error: unspecified launch failure")
    memory = SpecError("the weights belong to another network")
    memory.__cause__ = RuntimeError("While copying: CUDA out of memory.")

    assert is_device_fault(fault)
    assert not is_device_fault(memory)
    assert failure_of(memory, SPEC).kind == "out_of_memory"
