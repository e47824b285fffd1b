"""Fakes of NVML, the library of the NVIDIA driver."""
# ruff: noqa: N802 - the names are NVML's

from types import SimpleNamespace
from typing import Any

import pynvml


class FakeNvml:
    """The driver's library on a machine with GPUs of 24 GiB.

    Args:
        gpus: how many.
        error_code: of the error that opening the library raises.
        lost: the indices of GPUs that do not answer.
    """

    NVMLError = pynvml.NVMLError

    def __init__(
        self, gpus: int, *, error_code: int | None = None, lost: tuple[int, ...] = ()
    ) -> None:
        self.gpus = gpus
        self.error_code = error_code
        self.lost = lost
        self.is_open = False

    def nvmlInit(self) -> None:
        if self.error_code is not None:
            raise pynvml.NVMLError(self.error_code)
        self.is_open = True

    def nvmlShutdown(self) -> None:
        self.is_open = False

    def nvmlDeviceGetCount(self) -> int:
        return self.gpus

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        if index in self.lost:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> int:
        handles = (handle for handle in range(self.gpus) if self.nvmlDeviceGetUUID(handle) == uuid)
        return self.nvmlDeviceGetHandleByIndex(next(handles))

    def nvmlDeviceGetMemoryInfo(self, _: int) -> Any:
        return SimpleNamespace(total=24 * 2**30, free=20 * 2**30)

    def nvmlDeviceGetComputeRunningProcesses(self, _: int) -> list[Any]:
        return [SimpleNamespace(pid=42, usedGpuMemory=4 * 2**30)]

    def nvmlDeviceGetUtilizationRates(self, _: int) -> Any:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-{handle}a0b-ee"

    def nvmlDeviceGetName(self, _: int) -> str:
        return "A Card"


class FakeNvmlWithSharedMemory(FakeNvml):
    """GPUs that use the machine's memory."""

    def nvmlDeviceGetMemoryInfo(self, _: int) -> Any:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
