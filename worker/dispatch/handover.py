"""The assignment of a claimed job to a runner."""

from collections.abc import Sequence

from shared.jobs.attempts import ClaimedJob
from worker.assignment import Assignment, FurtherDevice
from worker.dispatch.device import Device


def assignment_of(
    claimed: ClaimedJob,
    devices: Sequence[Device],
    *,
    visible: Sequence[Device],
    threads: int,
    is_shared: bool,
) -> Assignment:
    """Return the assignment of a job.

    Args:
        claimed: the job.
        devices: its devices; the runner uses the first.
        visible: the devices that the runner can use, in its order.
        threads: CPU threads on each device.
        is_shared: whether other jobs may share the device; with several devices none does.
    """
    device, *further = devices
    return Assignment(
        job_id=claimed.lease.job_id,
        attempt=claimed.lease.attempt,
        spec=claimed.spec,
        resume_from=claimed.resume_from,
        epoch_limit=claimed.epoch_limit,
        device=device.name,
        uuid=device.uuid,
        threads=threads,
        index=visible.index(device),
        memory_mib=claimed.memory_mib if device.has_own_memory else 0.0,
        is_shared=is_shared and not further,
        further=tuple(
            FurtherDevice(other.name, other.uuid, visible.index(other)) for other in further
        ),
    )
