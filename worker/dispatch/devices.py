"""Which devices this machine has for training: its GPUs, by NVML, or slots on its CPU."""

import importlib.util
import os
import runpy
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pynvml
import structlog

from shared.settings import Settings

log = structlog.get_logger()

VISIBLE = "CUDA_VISIBLE_DEVICES"
ON_PURPOSE = f'set {VISIBLE}="" to train on the CPU on purpose'
#: What the driver's library says, or is, where there is no GPU.
NO_GPU = {
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND,
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
    pynvml.NVML_ERROR_GPU_NOT_FOUND,
}
NOT_SUPPORTED = pynvml.NVML_ERROR_NOT_SUPPORTED


@dataclass(frozen=True)
class Device:
    """One place where one training runs at a time."""

    #: "cuda:0" or "cpu:0".
    name: str
    #: What it is, for people.
    model: str
    #: NVML's identifier, which CUDA_VISIBLE_DEVICES takes; empty for the CPU.
    uuid: str = ""
    memory_mib: int = 0

    @property
    def is_gpu(self) -> bool:
        """Whether CUDA runs there."""
        return bool(self.uuid)

    def as_json(self) -> dict[str, Any]:
        """The device as the database keeps it."""
        return asdict(self)


class NoUsableGpu(Exception):
    """GPUs are there or asked for, and none can be used: training on the CPU would be no answer."""


def find(settings: Settings) -> list[Device]:
    """Every GPU that is visible to this process, or the CPU's slots where there is none.

    GPUs that the installed torch was not built for are none; the log says so.

    Raises:
        NoUsableGpu: the driver does not answer, no GPU does, or none is what is asked for.
    """
    asked = _asked_for()
    if asked == []:
        return _slots(settings)
    if not _torch_has_cuda():
        _say_unused()
        return _slots(settings)
    return _visible(_installed(), asked) or _slots(settings)


def _slots(settings: Settings) -> list[Device]:
    return [
        Device(f"cpu:{slot}", f"CPU, {threads(settings)} threads")
        for slot in range(settings.cpu_slots)
    ]


def threads(settings: Settings) -> int:
    """CPU threads that a training takes."""
    if settings.threads:
        return settings.threads
    return max(1, len(os.sched_getaffinity(0)) // settings.cpu_slots)


def _torch_has_cuda() -> bool:
    """Whether torch was built for GPUs, by its own file: this process does not import it."""
    torch = importlib.util.find_spec("torch")
    if torch is None or torch.origin is None:
        return False
    return runpy.run_path(str(Path(torch.origin).with_name("version.py")))["cuda"] is not None


def _say_unused() -> None:
    with suppress(NoUsableGpu):
        gpus = [device.model for device in _installed()]
        if gpus:
            log.warning(
                "GPUs are left unused",
                gpus=gpus,
                why="the installed torch is built for the CPU alone; trainings run there until a "
                "torch with CUDA is installed and the worker started anew",
            )


def _asked_for() -> list[str] | None:
    """What CUDA_VISIBLE_DEVICES names; None where it is not set, so that all are."""
    value = os.environ.get(VISIBLE)
    if value is None:
        return None
    names = [one.strip() for one in value.split(",")]
    return [one for one in names if one not in {"", "-1"}]


def _visible(gpus: list[Device], asked: list[str] | None) -> list[Device]:
    """Those of `gpus` that are asked for: by number in the order of the bus, or by uuid."""
    if asked is None:
        return gpus
    found = [gpu for gpu in gpus if any(_is_named(gpu, one) for one in asked)]
    unknown = [one for one in asked if not any(_is_named(gpu, one) for gpu in gpus)]
    if not found:
        there = ", ".join(f"{gpu.name} ({gpu.uuid})" for gpu in gpus) or "none"
        raise NoUsableGpu(
            f"{VISIBLE} names {', '.join(asked)}, which is no GPU of this machine; there are: "
            f"{there}. Name whole GPUs by number or uuid (parts of one, MIG, are not supported), "
            f"or {ON_PURPOSE}"
        )
    if unknown:
        log.warning("no such GPU", named=unknown, by=VISIBLE)
    return found


def _is_named(gpu: Device, name: str) -> bool:
    """CUDA takes the beginning of a uuid for all of it."""
    return gpu.name == f"cuda:{name}" or gpu.uuid.startswith(name)


def _installed() -> list[Device]:
    """Every GPU that answers, in the order of the bus."""
    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError as error:
        if _code(error) in NO_GPU:
            return []
        raise NoUsableGpu(
            f"the NVIDIA driver does not answer: {error}. Reboot or load the driver anew (after "
            f"an upgrade its parts differ until then), or {ON_PURPOSE}"
        ) from error
    try:
        found = [device for device in map(_device, range(count)) if device is not None]
    finally:
        pynvml.nvmlShutdown()
    if count and not found:
        raise NoUsableGpu(
            f"none of the {count} GPUs answers its driver; the log says why. Reboot, or "
            f"{ON_PURPOSE}"
        )
    return found


def _device(index: int) -> Device | None:
    """A GPU; None if it does not answer, as one that fell off the bus."""
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        uuid = str(pynvml.nvmlDeviceGetUUID(handle))
        model = str(pynvml.nvmlDeviceGetName(handle))
        return Device(f"cuda:{index}", model, uuid, _memory_mib(handle))
    except pynvml.NVMLError as error:
        log.warning("a GPU is left out", gpu=f"cuda:{index}", why=str(error))
        return None


def _memory_mib(handle: Any) -> int:
    """0 where the GPU has no memory of its own to tell of, but the machine's."""
    try:
        return int(pynvml.nvmlDeviceGetMemoryInfo(handle).total) // 2**20
    except pynvml.NVMLError as error:
        if _code(error) != NOT_SUPPORTED:
            raise
        return 0


def _code(error: pynvml.NVMLError) -> int:
    return error.value  # pyright: ignore[reportAttributeAccessIssue]
