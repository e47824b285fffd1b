"""The devices of this machine on which jobs run: its GPUs, as NVML lists them, or CPU slots."""

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

MEMORY = Path("/proc/meminfo")
GROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
VISIBLE = "CUDA_VISIBLE_DEVICES"
CPU_HINT = f'set {VISIBLE}="" to train on the CPU'
#: What the driver's library answers, or fails with, on a machine without a GPU.
NO_GPU = {
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND,
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
    pynvml.NVML_ERROR_GPU_NOT_FOUND,
}
NOT_SUPPORTED = pynvml.NVML_ERROR_NOT_SUPPORTED


@dataclass(frozen=True)
class Device:
    """A GPU or a CPU slot, on which one job runs at a time."""

    #: "cuda:0" or "cpu:0".
    name: str
    #: The product's name, for people.
    model: str
    #: NVML's identifier, which CUDA_VISIBLE_DEVICES accepts; empty for the CPU.
    uuid: str = ""
    #: Of the GPU, or of the whole machine, which all CPU slots share; 0 if unknown.
    memory_mib: int = 0

    @property
    def is_gpu(self) -> bool:
        """Whether it is a GPU."""
        return bool(self.uuid)

    def as_json(self) -> dict[str, Any]:
        """Return the device as the database stores it."""
        return asdict(self)


class NoUsableGpu(Exception):
    """No GPU can be used, although the machine has some or the environment names some.

    Jobs must not train on the CPU unnoticed.
    """


def find(settings: Settings) -> list[Device]:
    """Return every GPU that is visible to this process, or the CPU slots if there is none.

    GPUs that the installed torch does not support are left out, with a warning in the log.

    Raises:
        NoUsableGpu: the driver or every GPU fails to answer, or no GPU has a requested name.
    """
    requested = _requested_names()
    if requested == []:
        return _cpu_slots(settings)
    if not _torch_has_cuda():
        _warn_unused_gpus()
        return _cpu_slots(settings)
    return _select(_installed_gpus(), requested) or _cpu_slots(settings)


def _cpu_slots(settings: Settings) -> list[Device]:
    return [
        Device(f"cpu:{slot}", f"CPU, {threads(settings)} threads", "", machine_memory_mib())
        for slot in range(settings.cpu_slots)
    ]


def machine_memory_mib() -> int:
    """Return the memory of this machine, or the limit of its control group; 0 if unknown."""
    try:
        fields = dict(line.split(":", 1) for line in MEMORY.read_text().splitlines())
        total = int(fields["MemTotal"].split()[0]) * 1024
    except (OSError, ValueError, KeyError):  # another kind of system
        return 0
    with suppress(OSError, ValueError):  # no control groups, or no limit ("max")
        total = min(total, int(GROUP_LIMIT.read_text()))
    return total // 2**20


def threads(settings: Settings) -> int:
    """Return the number of CPU threads of a job."""
    if settings.threads:
        return settings.threads
    return max(1, len(os.sched_getaffinity(0)) // settings.cpu_slots)


def _torch_has_cuda() -> bool:
    """Return whether torch is built for CUDA, as its version file states; torch is not imported."""
    torch = importlib.util.find_spec("torch")
    if torch is None or torch.origin is None:
        return False
    return runpy.run_path(str(Path(torch.origin).with_name("version.py")))["cuda"] is not None


def _warn_unused_gpus() -> None:
    with suppress(NoUsableGpu):
        gpus = [gpu.model for gpu in _installed_gpus()]
        if gpus:
            log.warning(
                "GPUs are not used",
                gpus=gpus,
                reason="The installed torch is built for the CPU only. Install a torch with CUDA "
                "and restart the worker to train on them.",
            )


def _requested_names() -> list[str] | None:
    """Return the names in CUDA_VISIBLE_DEVICES; None if it is not set and all GPUs are visible."""
    value = os.environ.get(VISIBLE)
    if value is None:
        return None
    names = [name.strip() for name in value.split(",")]
    return [name for name in names if name not in {"", "-1"}]


def _select(gpus: list[Device], requested: list[str] | None) -> list[Device]:
    """Return the requested GPUs: by number in the order of the PCI bus, or by uuid."""
    if requested is None:
        return gpus
    selected = [gpu for gpu in gpus if any(_has_name(gpu, name) for name in requested)]
    unknown = [name for name in requested if not any(_has_name(gpu, name) for gpu in gpus)]
    if not selected:
        installed = ", ".join(f"{gpu.name} ({gpu.uuid})" for gpu in gpus) or "none"
        raise NoUsableGpu(
            f"{VISIBLE} is {','.join(requested)}, which names no GPU of this machine; it has: "
            f"{installed}. Name whole GPUs by number or uuid (parts of a GPU, MIG, are not "
            f"supported), or {CPU_HINT}."
        )
    if unknown:
        log.warning("no GPU has a requested name", names=unknown, variable=VISIBLE)
    return selected


def _has_name(gpu: Device, name: str) -> bool:
    """Return whether the name is the GPU's number or, as CUDA allows, the beginning of its uuid."""
    return gpu.name == f"cuda:{name}" or gpu.uuid.startswith(name)


def _installed_gpus() -> list[Device]:
    """Return every GPU that answers, in the order of the PCI bus."""
    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError as error:
        if _code(error) in NO_GPU:
            return []
        raise NoUsableGpu(
            f"The NVIDIA driver does not answer: {error}. Reboot or reload the driver (after an "
            f"upgrade its parts do not match until then), or {CPU_HINT}."
        ) from error
    try:
        gpus = [gpu for gpu in map(_gpu, range(count)) if gpu is not None]
    finally:
        pynvml.nvmlShutdown()
    if count and not gpus:
        raise NoUsableGpu(
            f"None of the {count} GPUs answers; the log has the driver's errors. Reboot, or "
            f"{CPU_HINT}."
        )
    return gpus


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


def _code(error: pynvml.NVMLError) -> int:
    return error.value  # pyright: ignore[reportAttributeAccessIssue]
