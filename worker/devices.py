"""Which devices this machine has for training: its GPUs, by NVML, or slots on its CPU."""

import importlib.util
import os
import runpy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pynvml
import structlog

from shared.settings import Settings

log = structlog.get_logger()


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


def find(settings: Settings) -> list[Device]:
    """Every GPU that is visible to this process, or the CPU's slots where there is none.

    GPUs that the installed torch was not built for are none; the log says so.
    """
    gpus = _gpus()
    if gpus and not _torch_has_cuda():
        log.warning(
            "GPUs are left unused",
            gpus=[device.model for device in gpus],
            why="the installed torch is built for the CPU alone; trainings run there until a "
            "torch with CUDA is installed and the worker started anew",
        )
        gpus = []
    return gpus or [
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


def _gpus() -> list[Device]:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        found = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = int(pynvml.nvmlDeviceGetMemoryInfo(handle).total) // 2**20
            uuid = str(pynvml.nvmlDeviceGetUUID(handle))
            model = str(pynvml.nvmlDeviceGetName(handle))
            found.append(Device(f"cuda:{index}", model, uuid, memory))
    finally:
        pynvml.nvmlShutdown()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return found
    asked = [one.strip() for one in visible.split(",") if one.strip()]
    return [d for i, d in enumerate(found) if str(i) in asked or d.uuid in asked]
