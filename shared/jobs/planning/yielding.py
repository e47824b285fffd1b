"""Which running jobs give way to waiting jobs of other owners, with a checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.jobs.planning.box import HIGH, LOW, Box, Owner, Rank, RunningJob
from shared.jobs.planning.order import Place
from shared.jobs.planning.placement import Room

#: How many waiting jobs may make others give way at a time, and of how many it is checked.
MAX_SERVED, MAX_CHECKED = 2, 8
#: A quantum is at least so many times what a switch takes, so that switches cost at most 5 %.
QUANTUM_OVER_SWITCH = 19.0
#: A device that frees by itself within this time, or within four switches, is waited for.
SOON_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Yield:
    """A running job that gives way, and the waiting job that it gives way to."""

    job: str
    to: str


def find_yields(box: Box, stuck: Sequence[Place]) -> list[Yield]:
    """Return the running jobs that are to stop now, for the jobs that cannot start, in order."""
    if box.policy.time_sharing == "off":
        return []
    free_soon = sum(_frees_soon(box, job) for job in box.running)
    found: list[Yield] = []
    chosen: list[RunningJob] = []
    served = 0
    for place in stuck[:MAX_CHECKED]:
        if free_soon >= place.job.gpus:  # it starts on these
            free_soon -= place.job.gpus
            continue
        victims = _victims(box, place, chosen)
        chosen += victims
        found += [Yield(job.id, place.job.id) for job in victims]
        served += bool(victims)
        if served == MAX_SERVED:
            break
    return found


def _frees_soon(box: Box, job: RunningJob) -> int:
    """Return how many devices the job will free by itself in a moment."""
    soon = box.now + max(4 * job.switch_seconds, SOON_SECONDS)
    return len(job.devices) if job.is_stopping or box.now <= job.ends_p50 <= soon else 0


def _victims(box: Box, place: Place, chosen: Sequence[RunningJob]) -> list[RunningJob]:
    """Return the jobs whose end lets this job start; none if there are not enough."""
    taken = {job.id for job in chosen}
    eligible = [job for job in box.running if job.id not in taken and _gives_way(box, job, place)]
    eligible.sort(key=lambda job: (job.ends_p90 >= box.now, -_usage(box, job), -job.started_at))
    if place.job.gpus > 1:
        return _enough(box, place, chosen, eligible)
    # Jobs that share a device may have to stop together.
    devices = dict.fromkeys(name for job in eligible for name in job.devices)
    options = [
        _enough(box, place, chosen, [job for job in eligible if name in job.devices])
        for name in devices
    ]
    return min((option for option in options if option), key=len, default=[])


def _enough(
    box: Box, place: Place, chosen: Sequence[RunningJob], eligible: Sequence[RunningJob]
) -> list[RunningJob]:
    """Return as many of the jobs as are needed, from the first; none if all are not enough."""
    for count in range(1, len(eligible) + 1):
        victims = list(eligible[:count])
        if _fits_without(box, place, [*chosen, *victims]):
            break
    else:
        return []
    for job in victims[:-1]:
        rest = [other for other in victims if other is not job]
        if _fits_without(box, place, [*chosen, *rest]):
            victims = rest
    return victims


def _fits_without(box: Box, place: Place, stopped: Sequence[RunningJob]) -> bool:
    return Room(box, without=stopped).find(place.job) is not None


def _gives_way(box: Box, job: RunningJob, place: Place) -> bool:
    """Return whether the running job may have to stop for the waiting job."""
    policy = box.policy
    quantum = policy.quantum_of_low_seconds if job.priority <= LOW else policy.quantum_seconds
    quantum = max(quantum, QUANTUM_OVER_SWITCH * job.switch_seconds)
    if job.is_stopping or job.priority >= HIGH or box.now - job.started_at < quantum:
        return False
    if place.rank is Rank.OVERDUE:
        return True
    return (
        (job.is_exact or job.priority <= LOW or policy.time_sharing == "all")
        and job.owner != place.job.owner
        and place.rank <= Rank.of_priority(job.priority)
        and job.ends_p50 - box.now > 2 * job.switch_seconds
        and _usage(box, job) - place.usage >= policy.quantum_seconds * place.job.gpus
    )


def _usage(box: Box, job: RunningJob) -> float:
    owner = box.owners.get(job.owner) or Owner(job.owner)
    return owner.usage / owner.weight
