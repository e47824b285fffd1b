"""The memory of an analysis: predicted, planned on a device, and refused where none has it."""

from dataclasses import dataclass
from typing import Any

from api.analyses.request import SUBJECT, Request
from api.jobs.device_memory import data_mib, largest_device_mib
from api.services.container import Services
from shared.errors import Conflict, Fault, InvalidSpec, NotFound
from shared.jobs import liveness
from shared.jobs.checkpoint_names import checkpoint_name
from shared.jobs.estimates.memory import predict_memory
from shared.jobs.memory_need import CONTEXT_MIB, planned_mib
from shared.jobs.rows import JobRow
from shared.spec.fine_tuning import StageSpec
from shared.storage import WEIGHTS


@dataclass(frozen=True)
class AnalysisMemory:
    """What an analysis is predicted to take, and the memory that is planned for it."""

    #: With the images, where they fit on the device.
    predicted_mib: float
    #: Of a device; 0 for a whole device.
    planned_mib: float


def plan_memory(services: Services, job: JobRow, request: Request) -> AnalysisMemory:
    """Predict the memory of an analysis, and plan it like that of a job.

    Raises:
        Conflict: the file of the checkpoint no longer exists.
        InvalidSpec: no device has so much memory.
        Unavailable: the sidecar, which predicts it, does not answer.
    """
    is_on_gpu, limit_mib = _largest_device(services)
    largest_mib = largest_device_mib(services)
    network_mib = _predict(services, job, request, is_on_gpu=is_on_gpu)
    context_mib = CONTEXT_MIB if largest_mib else 0.0
    limit_mib = largest_mib or limit_mib
    least_mib = context_mib + network_mib
    if limit_mib and least_mib > limit_mib:
        context = f", {context_mib:,.0f} MiB of it for CUDA" if context_mib else ""
        text = (
            f"is {request.kind}, which needs about {least_mib:,.0f} MiB of memory for this "
            f"network{context}; the largest device has {limit_mib:,.0f} MiB. Lower the parameters "
            "that need memory, or analyse a smaller network"
        )
        raise InvalidSpec([Fault("/kind", text)], subject=SUBJECT)
    images_mib = data_mib(job.spec["dataset"])
    if limit_mib and least_mib + images_mib > limit_mib:
        images_mib = 0.0  # they stay outside of the device
    need = predict_memory(seen=(), network_mib=network_mib)
    planned = need and largest_mib and planned_mib(need, images_mib, largest_mib=largest_mib)
    return AnalysisMemory(round(network_mib + images_mib, 1), planned or 0.0)


def _predict(services: Services, job: JobRow, request: Request, *, is_on_gpu: bool) -> float:
    """Return the memory in MiB, without the images."""
    checkpoint = request.checkpoint
    weights = f"{checkpoint.directory}/{WEIGHTS}"
    try:
        services.storage.path(weights)
    except NotFound as error:
        raise Conflict(
            f"The file of the checkpoint {checkpoint_name(checkpoint)} no longer exists. Analyse "
            "another checkpoint of the job."
        ) from error
    stages = _stages(job.spec)
    trained = [stage for stage in stages if stage["name"] == checkpoint.stage] or stages[-1:]
    fields = {
        "weights": weights,
        "kind": request.kind,
        "parameters": request.parameters,
        "first": StageSpec.model_construct(**trained[0]).first_trained_layer if trained else None,
        "train_samples": job.spec["dataset"]["train"],
        "batch_size": job.spec["training"]["batch_size"],
        "is_on_gpu": is_on_gpu,
    }
    return services.sidecar.send("analysis", fields)["memory_mib"]


def _stages(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the stages of fine-tuning; none of a training in one stage."""
    return (spec.get("fine_tuning") or {}).get("stages") or []


def _largest_device(services: Services) -> tuple[bool, float]:
    """Return whether jobs run on GPUs, and the largest memory that a job may have; 0 if unknown."""
    with services.database.read() as connection:
        workers = liveness.list_workers(connection)
    devices: list[dict[str, Any]] = [device for worker in workers for device in worker.devices]
    gpus = [device for device in devices if device["name"].startswith("cuda")]
    sizes = [device.get("memory_mib") for device in gpus or devices]
    largest = max((size for size in sizes if isinstance(size, int)), default=0)
    limit = 0 if gpus else services.settings.runner_memory_mib
    return bool(gpus), min(largest or limit, limit or largest)
