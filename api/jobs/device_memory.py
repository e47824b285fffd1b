"""The memory of a device that a new job gets: as requested, measured before, or predicted."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from api.jobs.admission.draft import Draft
from api.jobs.admission.stages import distinct_optimizers
from api.services.container import Services
from shared.clock import now
from shared.errors import Unavailable
from shared.jobs.estimates.estimator import Prediction
from shared.jobs.memory_need import planned_mib
from shared.jobs.planning.memory import reserve_mib
from shared.jobs.read_box import list_devices

MIB = 2**20
#: Of a number in a table.
FLOAT_BYTES = 4


@dataclass(frozen=True)
class Planned:
    """What a new job is predicted to take, and the memory that is planned for it."""

    prediction: Prediction
    #: None where it is the same as another job's that the new job repeats.
    memory_mib: float | None


def largest_device_mib(services: Services) -> float:
    """Return the most memory that a job can get on a device of this box; 0 if none has its own."""
    # Not from the snapshot of the queue: a snapshot of now would leave out the new job.
    with services.database.read() as connection:
        devices = list_devices(connection, now())
    totals = (device.total_mib for device in devices)
    return max((total - reserve_mib(total) for total in totals), default=0.0)


def plan_memory(services: Services, draft: Draft, *, epochs_before: int = 0) -> Planned:
    """Return the prediction of a job, and the memory to plan for it; 0 for a whole device.

    Args:
        services: the parts of this service.
        draft: the specification as it was checked.
        epochs_before: the epochs that are in the checkpoint from which the job starts.
    """
    spec = draft.filled
    predict = partial(services.estimator.predict, spec, epochs_before=epochs_before)
    prediction = predict()
    given = spec["resources"].get("gpu_memory_mib")
    largest = largest_device_mib(services)
    if given or not largest:
        return Planned(prediction, None)
    if prediction.memory is None or prediction.memory.basis != "seen":
        network_mib = step_of(services, draft).get("memory_mib")
        prediction = predict(network_mib=network_mib)
    if prediction.memory is None:
        return Planned(prediction, 0.0)
    memory = planned_mib(prediction.memory, data_mib(spec["dataset"]), largest_mib=largest)
    return Planned(prediction, memory)


def step_of(services: Services, draft: Draft) -> dict[str, Any]:
    """Return the memory and the work of a training step; nothing without the sidecar."""
    spec = draft.filled
    try:
        return services.sidecar.describe(
            {
                **(draft.network or {}),
                "batch_size": min(spec["training"]["batch_size"], spec["dataset"]["train"]),
                "optimizers": distinct_optimizers(spec),
                "precision": spec["training"]["precision"],
            }
        )
    except Unavailable:
        return {}


def data_mib(dataset: dict[str, Any]) -> float:
    """Return the memory of the samples of all splits on a device, in MiB; 0 on the host."""
    if dataset.get("residency") == "host":
        return 0.0
    samples = sum(dataset.get(split) or 0 for split in ("train", "validation", "test"))
    if dataset.get("image_size"):
        return samples * (dataset.get("channels") or 1) * dataset["image_size"] ** 2 / MIB
    return samples * len(dataset.get("features") or ()) * FLOAT_BYTES / MIB
