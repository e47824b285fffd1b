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
    memory_mib: float,
    is_shared: bool,
) -> Assignment:
    """Return the assignment of a job.

    Args:
        claimed: the job.
        devices: its devices; the runner uses the first.
        visible: the devices that the runner can use, in its order.
        threads: CPU threads on each device.
        memory_mib: of each device that it may use; 0 for no limit.
        is_shared: whether other jobs may share the device.
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
        memory_mib=memory_mib,
        is_shared=is_shared,
        model=device.model,
        further=tuple(
            FurtherDevice(other.name, other.uuid, visible.index(other)) for other in further
        ),
    )
