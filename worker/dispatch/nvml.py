"""The GPUs of this machine, by NVML, the driver's library, which only this module imports."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pynvml
import structlog

from worker.dispatch.device import Device, Process, Reading

log = structlog.get_logger()

CPU_HINT = 'set CUDA_VISIBLE_DEVICES="" to train on the CPU'
#: What the driver's library answers, or fails with, on a machine without a GPU.
NO_GPU = {
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND,
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
    pynvml.NVML_ERROR_GPU_NOT_FOUND,
}
NOT_SUPPORTED = pynvml.NVML_ERROR_NOT_SUPPORTED
#: What it answers for a GPU that has fallen off the bus.
LOST = {
    pynvml.NVML_ERROR_GPU_IS_LOST,
    pynvml.NVML_ERROR_NOT_FOUND,
    pynvml.NVML_ERROR_GPU_NOT_FOUND,
}


class NoUsableGpu(Exception):
    """No GPU can be used, although the machine has some or the environment names some.

    Jobs must not train on the CPU unnoticed.
    """


def list_gpus() -> list[Device]:
    """Return every GPU that answers, in the order of the PCI bus.

    Raises:
        NoUsableGpu: the driver does not answer, or none of its GPUs.
    """
    try:
        with _opened():
            count = pynvml.nvmlDeviceGetCount()
            gpus = [gpu for gpu in map(_gpu, range(count)) if gpu is not None]
    except pynvml.NVMLError as error:
        if _code(error) in NO_GPU:
            return []
        raise NoUsableGpu(
            f"The NVIDIA driver does not answer: {error}. Reboot or reload the driver (after an "
            f"upgrade its parts do not match until then), or {CPU_HINT}."
        ) from error
    if count and not gpus:
        raise NoUsableGpu(
            f"None of the {count} GPUs answers; the log has the driver's errors. Reboot, or "
            f"{CPU_HINT}."
        )
    return gpus


def read(gpus: Iterable[Device]) -> dict[str, Reading | None]:
    """Return what each GPU reports, by its name; None for a GPU that was lost.

    A GPU without an answer for another reason is left out.
    """
    readings: dict[str, Reading | None] = {}
    with suppress(pynvml.NVMLError), _opened():
        for gpu in gpus:
            try:
                readings[gpu.name] = _reading(pynvml.nvmlDeviceGetHandleByUUID(gpu.uuid))
            except pynvml.NVMLError as error:
                if _code(error) in LOST:
                    readings[gpu.name] = None
    return readings


@contextmanager
def _opened() -> Iterator[None]:
    pynvml.nvmlInit()
    try:
        yield
    finally:
        pynvml.nvmlShutdown()


def _gpu(index: int) -> Device | None:
    """Return a GPU, or None if it does not answer, for example after it fell off the bus."""
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        uuid = str(pynvml.nvmlDeviceGetUUID(handle))
        model = str(pynvml.nvmlDeviceGetName(handle))
        return Device(f"cuda:{index}", model, uuid, _memory_mib(handle))
    except pynvml.NVMLError as error:
        log.warning("GPU left out, it does not answer", gpu=f"cuda:{index}", error=str(error))
        return None


def _memory_mib(handle: Any) -> int:
    """Return the GPU's memory; 0 if it uses the machine's memory instead of dedicated memory."""
    try:
        return int(pynvml.nvmlDeviceGetMemoryInfo(handle).total) // 2**20
    except pynvml.NVMLError as error:
        if _code(error) != NOT_SUPPORTED:
            raise
        return 0


def _reading(handle: Any) -> Reading:
    free_mib = int(pynvml.nvmlDeviceGetMemoryInfo(handle).free) / 2**20
    processes: list[Process] = []
    utilization = None
    with suppress(pynvml.NVMLError):  # not supported by every GPU
        processes = [
            Process(process.pid, int(process.usedGpuMemory or 0) / 2**20)
            for process in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
        ]
    with suppress(pynvml.NVMLError):
        utilization = int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu) / 100
    return Reading(free_mib, tuple(processes), utilization)


def _code(error: pynvml.NVMLError) -> int:
    return error.value  # pyright: ignore[reportAttributeAccessIssue]
