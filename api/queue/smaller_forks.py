"""Forks of a waiting job that start now: with a smaller batch, or on fewer devices.

What a fork needs is computed as at its submission, so that its memory is predicted and not guessed:
without the sidecar none is proposed.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import inf
from typing import Any

from api.http.json_patch import apply_patch
from api.jobs import device_memory, service
from api.queue.counterfactuals import Change, plan_with, starts
from api.services.container import Services
from api.services.principal import Principal
from api.services.queue_order import Snapshot
from shared.errors import InvalidSpec, NotFound, Unavailable
from shared.ids import new_id
from shared.jobs.planning.box import WaitingJob
from shared.jobs.planning.plan import Entry
from shared.jobs.rows import JobRow
from shared.states import PRIORITIES

#: The least memory that a job can need, to see whether memory decides at all.
LEAST_MIB = 1.0


def smaller_forks(
    services: Services, principal: Principal, snapshot: Snapshot, entry: Entry, row: JobRow
) -> Iterator[Change]:
    """Yield the fork with the largest batch that starts now, and that with the most devices.

    Args:
        services: the parts of this service.
        principal: who would fork the job and cancel it.
        snapshot: of the queue.
        entry: of the job in the plan.
        row: of the job, a training.
    """
    has_memory = any(device.total_mib for device in snapshot.box.devices)
    is_limited = row.spec["resources"].get("gpu_memory_mib") is not None

    def find(pointer: str, values: list[int], least: WaitingJob) -> Change | None:
        def change_to(value: int) -> Change | None:
            patch = [{"op": "replace", "path": pointer, "value": value}]
            return _fork(services, principal, snapshot, entry, row, patch)

        def starts_with(job: WaitingJob) -> bool:
            return starts(plan_with(snapshot, entry, job)[1], job)

        return _largest(values, change_to, starts_with) if starts_with(least) else None

    fork = replace(
        entry.job,
        id=new_id("job"),
        owner=principal.name,
        priority=PRIORITIES["normal"],
        eligible_at=snapshot.box.now,
        placement="",
    )
    # A limit that the owner has set does not change with the batch.
    if has_memory and not is_limited and entry.job.memory_mib:
        least = replace(fork, memory_mib=LEAST_MIB, seconds_p50=1.0, seconds_p90=1.0)
        found = find("/training/batch_size", _halved(_batch_size(row)), least)
        if found is not None:
            yield found
    if row.gpus > 1:
        least = replace(fork, gpus=1, memory_mib=0.0, seconds_p50=1.0, seconds_p90=1.0)
        found = find("/resources/gpus", _halved(row.gpus), least)
        if found is not None:
            yield found


def _batch_size(row: JobRow) -> int:
    """Return the size of the largest batch that there are samples for."""
    requested = (row.spec.get("training") or {}).get("batch_size") or 1
    return min(requested, row.spec["dataset"].get("train") or requested)


def _halved(value: int) -> list[int]:
    """Return the halves, quarters … of a number, down to 1."""
    found: list[int] = []
    while value > 1:
        value //= 2
        found.append(value)
    return found


def _largest(
    values: list[int],
    change_to: Callable[[int], Change | None],
    starts_with: Callable[[WaitingJob], bool],
) -> Change | None:
    """Return the change to the largest value with which the job starts, by bisection."""
    low, high = 0, len(values)
    found: Change | None = None
    while low < high:
        middle = (low + high) // 2
        change = change_to(values[middle])
        if change is not None and starts_with(change.job):
            found, high = change, middle
        else:
            low = middle + 1
    return found


def _fork(
    services: Services,
    principal: Principal,
    snapshot: Snapshot,
    entry: Entry,
    row: JobRow,
    patch: list[dict[str, Any]],
) -> Change | None:
    """Return a fork as it would wait; None if it would be refused, or too little is known."""
    spec = apply_patch({**row.spec, "priority": "normal"}, patch, at="/patch")
    try:
        planned = device_memory.plan_memory(services, service.check(services, principal, spec))
    except (InvalidSpec, NotFound, Unavailable):
        return None
    given = spec["resources"].get("gpu_memory_mib")
    if given is None and planned.prediction.memory is None and entry.job.memory_mib:
        return None  # without the sidecar
    columns = planned.prediction.columns()
    memory_mib = float(given or planned.memory_mib or 0.0)
    job = WaitingJob(
        new_id("job"),
        principal.name,
        PRIORITIES["normal"],
        snapshot.box.now,
        spec["resources"]["gpus"],
        memory_mib,
        columns["seconds_p50"] or inf,
        columns["seconds_p90"] or inf,
        kind=columns["cost_kind"] or "",
    )
    return Change(patch, "fork", job, {"memory_mib": memory_mib, "cancel": row.id})
