"""Changes of a waiting job after which the plan starts it now, or predicts it earlier.

Each change is planned again: what is proposed comes true at the next claim.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from api.queue.rendering import starts_json
from api.services.queue_order import Snapshot
from shared.jobs.planning.box import HIGH, Box, WaitingJob, own_order
from shared.jobs.planning.forecast import forecast
from shared.jobs.planning.plan import Entry, Plan, plan
from shared.states import PRIORITIES, PRIORITY_NAMES

#: Time limits that are tried.
LIMITS_SECONDS = (3_600, 900, 300)


@dataclass(frozen=True)
class Change:
    """A change of a waiting job, and the job as it would wait after it."""

    #: A merge patch of the job, or the operations of a fork that takes its place.
    patch: Any
    via: Literal["patch", "fork"]
    job: WaitingJob
    #: What else is said of the change.
    notes: dict[str, Any] = field(default_factory=dict[str, Any])

    def as_json(self) -> dict[str, Any]:
        """Return the change as `explain` shows it."""
        return {"patch": self.patch, "via": self.via, **self.notes}


def patches_of(job: WaitingJob, *, may_be_high: bool) -> Iterator[Change]:
    """Yield changes of the job itself.

    Args:
        job: as it waits.
        may_be_high: whether it may get high priority.
    """
    for level in ("normal", "high") if may_be_high else ("normal",):
        priority = PRIORITIES[level]
        if job.priority < priority <= HIGH:
            patch = {"priority": PRIORITY_NAMES[priority]}
            yield Change(patch, "patch", replace(job, priority=priority))
    for seconds in LIMITS_SECONDS:
        if seconds < job.seconds_p90:
            limited = replace(
                job, seconds_p50=min(job.seconds_p50, seconds), seconds_p90=float(seconds)
            )
            yield Change({"max_runtime_seconds": seconds}, "patch", limited)
    if job.placement and not job.allow_inexact:
        yield Change({"allow_inexact": True}, "patch", replace(job, allow_inexact=True))


def judge(
    snapshot: Snapshot, entry: Entry, changes: Iterator[Change]
) -> dict[str, list[dict[str, Any]]]:
    """Return the changes with which the job starts now, and with which it starts earlier."""
    now: list[dict[str, Any]] = []
    earlier: list[dict[str, Any]] = []
    before = snapshot.forecast.get(entry.job.id)
    for change in changes:
        box, made = plan_with(snapshot, entry, change.job)
        if starts(made, change.job):
            now.append(change.as_json())
        elif before is not None:
            after = forecast(box, made).get(change.job.id)
            if after is not None and after.p50 < before.p50:
                earlier.append(change.as_json() | {"starts": starts_json(after)})
    return {"would_start_now_if": now, "would_start_earlier_if": earlier}


def starts(made: Plan, job: WaitingJob) -> bool:
    """Return whether the plan starts the job now."""
    return any(start.job.id == job.id for start in made.starts)


def plan_with(snapshot: Snapshot, entry: Entry, changed: WaitingJob) -> tuple[Box, Plan]:
    """Return the box of the snapshot with another job in place of one, and its plan."""
    jobs = [other.job for other in snapshot.plan.entries if other.job.id != entry.job.id]
    lines: dict[str, list[WaitingJob]] = {}
    for job in [*jobs, changed]:
        lines.setdefault(job.owner, []).append(job)

    def box() -> Box:
        ordered = {owner: iter(sorted(line, key=own_order)) for owner, line in lines.items()}
        return replace(snapshot.box, lines=ordered)

    return box(), plan(box())
