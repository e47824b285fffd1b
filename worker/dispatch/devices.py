"""The devices on which jobs run: GPUs as NVML lists them, CPU slots, or simulated devices."""

import importlib.util
import os
import runpy
from contextlib import suppress
from pathlib import Path

import structlog

from shared.settings import Settings
from worker.dispatch import nvml
from worker.dispatch.device import Device
from worker.dispatch.nvml import CPU_HINT, NoUsableGpu
from worker.dispatch.simulated_devices import SimulatedDevices

log = structlog.get_logger()

MEMORY = Path("/proc/meminfo")
GROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
VISIBLE = "CUDA_VISIBLE_DEVICES"


def find(settings: Settings) -> list[Device]:
    """Return every GPU that is visible to this process, or the CPU slots if there is none.

    GPUs that the installed torch does not support are left out, with a warning in the log.
    Simulated devices take the place of all others.

    Raises:
        NoUsableGpu: the driver or every GPU fails to answer, no GPU has a requested name, or the
            file of simulated devices cannot be used.
    """
    if settings.simulated_devices:
        return SimulatedDevices(Path(settings.simulated_devices).expanduser()).list_devices()
    requested = _requested_names()
    if requested == []:
        return _cpu_slots(settings)
    if not _torch_has_cuda():
        _warn_unused_gpus()
        return _cpu_slots(settings)
    return _select(nvml.list_gpus(), requested) or _cpu_slots(settings)


def _cpu_slots(settings: Settings) -> list[Device]:
    count = threads(settings)
    model = f"CPU, {count} thread{'s' if count != 1 else ''}"
    return [
        Device(f"cpu:{slot}", model, "", machine_memory_mib()) for slot in range(settings.cpu_slots)
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
        gpus = [gpu.model for gpu in nvml.list_gpus()]
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
