"""Where the images of a job stay while it trains: on its device, or in the cache's mapped file."""

from pathlib import Path

import torch

from shared.spec import JobSpec
from worker.architectures.layers import ImageShape
from worker.registry import SpecError
from worker.regularizers.overrides import architecture_parameters, build_regularizers, new_head
from worker.sidecar.memory import predict_mib

#: Images that take a smaller share of the memory stay on the device, without a prediction.
SMALL_SHARE = 0.1
#: Of the memory: left for workspaces, fragmentation and other processes.
RESERVED_SHARE = 0.1
#: The images of a split, and their copy in the order of the device.
COPIES_ON_CPU = 2
MEMORY = Path("/proc/meminfo")
GROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def stays_on_host(
    spec: JobSpec, image_shape: ImageShape, images: int, classes: int, *, available_bytes: int
) -> bool:
    """Return whether images are read during training, since they do not fit next to the network.

    Args:
        spec: a filled specification; its `dataset.residency` decides if it is given.
        image_shape: channels, height, width.
        images: in all splits.
        classes: the number of classes; 0 for a regression.
        available_bytes: memory of the device, divided by the copies of the images in it.
    """
    if spec.dataset.residency is not None:
        return spec.dataset.residency == "host"
    channels, height, width = image_shape
    data_bytes = images * channels * height * width
    if data_bytes <= SMALL_SHARE * available_bytes:
        return False
    network_bytes = predict_network_mib(spec, image_shape, classes) * 2**20
    return data_bytes + network_bytes > (1 - RESERVED_SHARE) * available_bytes


def predict_network_mib(spec: JobSpec, image_shape: ImageShape, classes: int) -> float:
    """Predict the memory of network, optimizer and step in MiB; 0 for what cannot be built."""
    built = build_regularizers(spec.regularizers)
    stages = spec.fine_tuning.stages if spec.fine_tuning else ()
    optimizers = [stage.optimizer for stage in stages if stage.optimizer] or [spec.optimizer]
    request = {
        "architecture": {"name": spec.architecture.name},
        "regularizers": spec.regularizers,
        "image": image_shape,
        "classes": classes or 1,
        "batch_size": spec.training.batch_size,
        "optimizers": [{"name": each.name, **each.parameters} for each in optimizers],
        "precision": spec.training.precision,
    }
    try:
        parameters = architecture_parameters(
            spec.architecture.name, spec.architecture.parameters, built
        )
        head = spec.fine_tuning and new_head(spec.fine_tuning.head.model_dump(), built)
        return predict_mib(request, parameters, head)
    except SpecError:  # reported when the network is built
        return 0.0


def available_bytes(device: str, limit_mib: float, runner_memory_mib: int) -> int:
    """Return the memory that images may take: of the GPU, or a part of the machine's.

    Args:
        device: cuda or cpu.
        limit_mib: of what the job may allocate on a GPU; 0 for no limit.
        runner_memory_mib: limits the memory of a job on the CPU; 0 for no limit.
    """
    machine = machine_bytes()
    if device == "cuda":
        free, _ = torch.cuda.mem_get_info()
        limit = int(limit_mib * 2**20)
        return min(machine, free, limit or free)  # on their way they are in the machine's memory
    limit = runner_memory_mib * 2**20
    return min(machine, limit or machine) // COPIES_ON_CPU


def machine_bytes() -> int:
    """Return the memory that is available, of the machine or of this control group."""
    fields = dict(line.split(":", 1) for line in MEMORY.read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    try:
        return min(free, int(GROUP_LIMIT.read_text()))
    except (OSError, ValueError):  # no control groups, or no limit ("max")
        return free
