"""`GET /v1/devices`: what each device holds and does."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Security

from api.deps import PrincipalDep, ServicesDep, right
from api.devices.schemas import Device
from api.http.faults import quoted
from api.http.requests import Limit, Text
from api.http.responses import list_page, versioned_response
from api.http.schemas import ETAG, NOT_MODIFIED, list_of
from api.queue.rendering import starts_json, time_text
from api.services.principal import Principal
from api.services.queue_order import Snapshot
from shared.clock import now, rfc3339
from shared.errors import BadRequest
from shared.jobs import liveness
from shared.jobs.planning.box import Policy, RunningJob
from shared.jobs.planning.forecast import Start
from shared.jobs.planning.memory import measured, reserve_mib
from shared.jobs.planning.yielding import may_give_way, quantum_of
from shared.jobs.read_box import SEEN_SECONDS, as_device
from shared.jobs.rows import WorkerRow

router = APIRouter(prefix="/v1", tags=["queue"])


@router.get(
    "/devices",
    dependencies=[Security(right("box:read"))],
    summary="List the devices",
    responses={200: {"model": list_of(Device), **ETAG}, **NOT_MODIFIED},
)
def list_devices(
    services: ServicesDep,
    principal: PrincipalDep,
    limit: Limit = 100,
    after: Annotated[Text | None, Query(max_length=300)] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Any:
    """Return the devices of all workers, with the jobs on them.

    `after` is the id of the last device of the page before.
    """
    with services.database.read() as connection:
        workers = liveness.list_workers(connection)
    snapshot = services.queue_order.snapshot()
    rows = [
        _device_json(snapshot, worker, values, principal)
        for worker in workers
        for values in worker.devices
    ]
    start = 0 if after is None else _position(rows, after) + 1
    page = list_page(rows[start : start + limit], has_more=start + limit < len(rows))
    return versioned_response(page, if_none_match)


def _position(rows: list[dict[str, Any]], device: str) -> int:
    """Return the place of a device in the list.

    Raises:
        BadRequest: it is not in the list.
    """
    for position, row in enumerate(rows):
        if row["id"] == device:
            return position
    raise BadRequest(
        f"`after` is {quoted(device)}, which is not the `id` of a device; begin again with the "
        "first page if its worker is gone."
    )


def _device_json(
    snapshot: Snapshot, worker: WorkerRow, values: dict[str, Any], principal: Principal
) -> dict[str, Any]:
    device = as_device(worker.id, worker.host, values)
    device = measured(device, snapshot.box.running)
    jobs = [job for job in snapshot.box.running if device.id in job.devices]
    reservation = snapshot.plan.reservation
    is_held = reservation is not None and device.id in reservation.devices
    held_for = None
    if is_held and reservation is not None:
        is_readable = principal.may_read(reservation.job.owner)
        held_for = {
            "job": reservation.job.id if is_readable else None,
            "at": time_text(reservation.at),
        }
    is_away = now() - worker.seen_at > timedelta(seconds=SEEN_SECONDS)
    has_memory = device.total_mib > 0
    has_reading = has_memory and device.closed != "away"
    model = values.get("model")
    limit = snapshot.box.policy.jobs_on(device)
    is_shared = len(jobs) < limit and all(job.can_share for job in jobs)
    return {
        "object": "device",
        "id": device.id,
        "host": worker.host,
        "model": model if isinstance(model, str) else "",
        "state": "away"
        if is_away
        else device.closed or _state(len(jobs), is_shared=is_shared, is_held=is_held),
        "memory_mib": {
            "total": device.total_mib if has_memory else None,
            "jobs": sum(job.held_mib for job in jobs) if has_memory else None,
            "foreign": round(device.foreign_mib, 1) if has_reading else None,
            "reserved": reserve_mib(device.total_mib) if has_memory else None,
            "free": round(max(0.0, device.free_mib), 1) if has_reading else None,
        },
        "utilization_fraction": device.utilization,
        "seen_at": rfc3339(worker.seen_at),
        "jobs": [_job_json(job, snapshot.box.policy, principal) for job in jobs],
        "foreign": list(_foreign(values.get("foreign"))),
        "held_for": held_for,
    }


def _foreign(processes: Any) -> Iterator[dict[str, Any]]:
    """Yield the processes that are no jobs, without what cannot be read."""
    for process in processes if isinstance(processes, list) else []:
        pid = process.get("pid") if isinstance(process, dict) else None
        mib = process.get("memory_mib") if isinstance(process, dict) else None
        if isinstance(pid, int) and isinstance(mib, float | int):
            yield {"pid": pid, "memory_mib": mib}


def _state(jobs: int, *, is_shared: bool, is_held: bool) -> str:
    if jobs:
        return "shared" if is_shared else "full"
    return "held" if is_held else "free"


def _job_json(job: RunningJob, policy: Policy, principal: Principal) -> dict[str, Any]:
    quantum = quantum_of(policy, job) if may_give_way(policy, job) else None
    return {
        "job": job.id if principal.may_read(job.owner) else None,
        "owner": job.owner if principal.knows_owner(job.owner) else None,
        "memory_mib": {"cap": job.memory_mib, "used": job.used_mib or None},
        "since": time_text(job.started_at),
        "yields_after": None if quantum is None else time_text(job.started_at + quantum),
        "ends": starts_json(Start(job.ends_p50, job.ends_p90)),
    }
