"""What keeps a job from the memory of a device, as values and as a sentence."""

from datetime import UTC, datetime
from math import isfinite
from typing import Any

from api.queue.rendering import time_text
from api.services.principal import Principal
from api.services.queue_order import Snapshot
from shared.jobs.planning.box import Device, RunningJob, WaitingJob
from shared.jobs.planning.memory import reserve_mib

GIB = 1024.0
FEWER = "a smaller batch_size, smaller images or a smaller network"


def never_fits(snapshot: Snapshot, job: WaitingJob) -> bool:
    """Return whether the job needs more than any device of its kind has for jobs."""
    limits = [_limit_mib(device) for device in snapshot.box.devices]
    return bool(limits) and 0 < max(limits) < job.memory_mib and all(limits)


def device_reason(
    snapshot: Snapshot, device: Device, job: WaitingJob, principal: Principal
) -> dict[str, Any] | None:
    """Return why a job does not fit into the memory of a device, or next to its jobs; else None."""
    limit, needed = _limit_mib(device), job.memory_mib
    if limit and needed > limit:
        return {"reason": "memory", "missing_mib": round(needed - limit, 1)}
    running = _running_on(snapshot, device)
    missing = max(0.0, needed - device.free_mib) if limit else 0.0
    found: dict[str, Any] = {"missing_mib": round(missing, 1)} if missing else {}
    if not running:
        return {"reason": "foreign_process", **found} if missing else None
    is_shared = snapshot.box.policy.jobs_on(device) > 1 and job.can_share
    found["reason"] = "memory" if missing and is_shared else "devices"
    blockers = [
        {
            "job": other.id if principal.may_read(other.owner) else None,
            "frees_mib": other.held_mib,
            "ends": {"p50": time_text(other.ends_p50), "p90": time_text(other.ends_p90)},
        }
        for other in running
    ]
    return found | {"blockers": blockers}


def memory_sentence(snapshot: Snapshot, job: WaitingJob, principal: Principal) -> str | None:
    """Return which memory is missing and who frees it; None if no device has memory of its own."""
    devices = [d for d in snapshot.box.devices if d.total_mib and d.closed in (None, "busy")]
    if not devices:
        return None
    if never_fits(snapshot, job):
        largest = max(_limit_mib(device) for device in snapshot.box.devices)
        return (
            f"It needs {_gib(job.memory_mib)} GiB of a device's memory, and the largest device has "
            f"{_gib(largest)} GiB for jobs: it never starts as it is. Fork it with {FEWER}, or "
            "with another resources.gpu_memory_mib if that was set."
        )
    device = max(devices, key=lambda device: (device.free_mib, device.id))
    free = max(0.0, device.free_mib)
    name = device.id.partition("/")[2] or device.id
    sentence = (
        f"{name} has {_gib(free)} of {_gib(device.total_mib)} GiB free and this job needs "
        f"{_gib(job.memory_mib)}"
    )
    if job.memory_mib <= free:
        return None
    ending = _next_end(snapshot, device, principal)
    if ending is None and device.foreign_mib >= 1:
        ending = f"processes that are no jobs take {_gib(device.foreign_mib)} GiB"
    return f"{sentence}; {ending}." if ending else f"{sentence}."


def _next_end(snapshot: Snapshot, device: Device, principal: Principal) -> str | None:
    running = [job for job in _running_on(snapshot, device) if isfinite(job.ends_p50)]
    if not running:
        return None
    first = min(running, key=lambda job: (job.ends_p50, job.id))
    owner = f"{first.owner}'s job" if principal.knows_owner(first.owner) else "a job"
    at = datetime.fromtimestamp(max(first.ends_p50, snapshot.box.now), UTC)
    return f"{owner} ends at about {at:%H:%M} UTC"


def _running_on(snapshot: Snapshot, device: Device) -> list[RunningJob]:
    return [job for job in snapshot.box.running if device.id in job.devices]


def _limit_mib(device: Device) -> float:
    """Return the memory that a device has for jobs; 0 if memory does not limit it."""
    return device.total_mib - reserve_mib(device.total_mib) if device.total_mib else 0.0


def _gib(mib: float) -> str:
    return f"{mib / GIB:.1f}"
