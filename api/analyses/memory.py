"""Whether an analysis fits into the memory of a device of this box."""

from typing import Any

from api.analyses.request import SUBJECT, Request
from api.services.container import Services
from shared.errors import Conflict, Fault, InvalidSpec, NotFound
from shared.jobs import liveness
from shared.jobs.checkpoint_names import checkpoint_name
from shared.storage import WEIGHTS


def check_memory(services: Services, request: Request) -> float:
    """Return the predicted memory in MiB.

    Raises:
        Conflict: the file of the checkpoint no longer exists.
        InvalidSpec: no device has so much memory.
        Unavailable: the sidecar, which predicts it, does not answer.
    """
    checkpoint = request.checkpoint
    weights = f"{checkpoint.directory}/{WEIGHTS}"
    try:
        services.storage.path(weights)
    except NotFound as error:
        raise Conflict(
            f"The file of the checkpoint {checkpoint_name(checkpoint)} no longer exists. Analyse "
            "another checkpoint of the job."
        ) from error
    is_on_gpu, limit_mib = _largest_device(services)
    fields = {"weights": weights, "kind": request.kind, "parameters": request.parameters}
    response = services.sidecar.send("analysis", {**fields, "is_on_gpu": is_on_gpu})
    needed_mib: float = response["memory_mib"]
    if limit_mib and needed_mib > limit_mib:
        text = (
            f"is {request.kind}, which needs about {needed_mib:,.0f} MiB of memory for this "
            f"network; the largest device has {limit_mib:,} MiB. Lower the parameters that need "
            "memory, or analyse a smaller network"
        )
        raise InvalidSpec([Fault("/kind", text)], subject=SUBJECT)
    return needed_mib


def _largest_device(services: Services) -> tuple[bool, int]:
    """Return whether jobs run on GPUs, and the largest memory that a job may have; 0 if unknown."""
    with services.database.read() as connection:
        workers = liveness.list_workers(connection)
    devices: list[dict[str, Any]] = [device for worker in workers for device in worker.devices]
    gpus = [device for device in devices if device["name"].startswith("cuda")]
    sizes = [device.get("memory_mib") for device in gpus or devices]
    largest = max((size for size in sizes if isinstance(size, int)), default=0)
    limit = 0 if gpus else services.settings.runner_memory_mib
    return bool(gpus), min(largest or limit, limit or largest)
