"""Which running jobs give way to waiting jobs of other owners, with a checkpoint.

A job gives way only if the plan then starts the job that waits: each choice is planned again with
the stopped jobs back in the queue.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from shared.jobs.planning.box import (
    HIGH,
    HIGH_SECONDS,
    LOW,
    Box,
    Device,
    Owner,
    Policy,
    Rank,
    RunningJob,
    WaitingJob,
    own_order,
)
from shared.jobs.planning.order import Place
from shared.jobs.planning.plan import Plan, plan

#: How many waiting jobs may make others give way at a time, and of how many it is checked.
MAX_SERVED, MAX_CHECKED = 2, 8
#: Of how many sets of running jobs it is checked whether their stop starts a waiting job.
MAX_OPTIONS = 16
#: A quantum is at least so many times what a switch takes, so that switches cost at most 5 %.
QUANTUM_OVER_SWITCH = 19.0
#: A device that frees by itself within this time, or within four switches, is waited for.
SOON_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Yield:
    """A running job that gives way, and the waiting job that it gives way to."""

    job: str
    attempt: int
    to: str
    #: Of the waiting job.
    rank: Rank


def find_yields(box: Box, made: Plan) -> list[Yield]:
    """Return the running jobs that are to stop now, for the jobs that cannot start, in order.

    Args:
        box: from which the plan was made. Its lines are not read.
        made: the plan.
    """
    if box.policy.time_sharing == "off":
        return []
    if not any(has_had_quantum(box.policy, job, box.now) for job in box.running):
        return []
    entries = [entry for entry in made.entries if not entry.place.is_limited]
    waiting = [entry.job for entry in entries]
    stuck = [entry.place for entry in entries if entry.devices is None]
    found: list[Yield] = []
    chosen: list[RunningJob] = []
    served = 0
    for place in stuck[:MAX_CHECKED]:
        case = _Case(box, waiting, place, chosen)
        if case.is_solved_by([]):
            continue  # it starts on what frees by itself
        victims = case.find_victims()
        chosen += victims
        found += [Yield(job.id, job.attempt, place.job.id, place.rank) for job in victims]
        served += bool(victims)
        if served == MAX_SERVED:
            break
    return found


def quantum_of(policy: Policy, job: RunningJob) -> float | None:
    """Return how many seconds an attempt runs before it may give way; None if it never does."""
    if policy.time_sharing == "off":
        return None
    quantum = policy.quantum_of_low_seconds if job.priority <= LOW else policy.quantum_seconds
    if job.priority >= HIGH:
        quantum = max(quantum, HIGH_SECONDS)
    return max(quantum, QUANTUM_OVER_SWITCH * job.switch_seconds)


def has_had_quantum(policy: Policy, job: RunningJob, now: float) -> bool:
    """Return whether an attempt has run long enough to give way."""
    quantum = quantum_of(policy, job)
    return quantum is not None and not job.is_stopping and now - job.started_at >= quantum


def may_give_way(policy: Policy, job: RunningJob) -> bool:
    """Return whether a job gives way to jobs that are not overdue."""
    if job.priority >= HIGH:
        return False
    return job.is_exact or job.priority <= LOW or policy.time_sharing == "all"


class _Case:
    """A job that cannot start, and the jobs that could give way to it.

    Args:
        box: in which it waits.
        waiting: the waiting jobs in their order.
        place: of the job that cannot start.
        chosen: the jobs that give way to jobs ahead of it.
    """

    def __init__(
        self,
        box: Box,
        waiting: Sequence[WaitingJob],
        place: Place,
        chosen: Sequence[RunningJob],
    ) -> None:
        self.box, self.waiting, self.place, self.chosen = box, waiting, place, chosen
        #: The jobs that leave their devices by themselves.
        self.leaving = [
            job
            for job in box.running
            if job not in chosen and (job.is_stopping or self._ends_soon(job))
        ]

    def find_victims(self) -> list[RunningJob]:
        """Return the jobs whose end lets this job start; none if there are not enough."""
        taken = [*self.chosen, *self.leaving]
        eligible = [job for job in self.box.running if job not in taken and self._gives_way(job)]
        eligible.sort(key=self._victim_order)
        options = islice(self._options(eligible), MAX_OPTIONS)
        victims = next((option for option in options if self.is_solved_by(option)), [])
        for job in victims[:-1]:
            rest = [other for other in victims if other is not job]
            if self.is_solved_by(rest):
                victims = rest
        return victims

    def is_solved_by(self, victims: Sequence[RunningJob]) -> bool:
        """Return whether the plan starts the job once these jobs have stopped and wait again."""
        box = self.box
        gone = [*self.leaving, *self.chosen, *victims]
        back = [job for job in gone if job not in self.leaving or job.yields_to is not None]
        lines: dict[str, list[WaitingJob]] = {}
        for job in [*self.waiting, *(_as_waiting(box, job) for job in back)]:
            lines.setdefault(job.owner, []).append(job)
        after = replace(
            box,
            devices=[_without(device, gone) for device in box.devices],
            running=[job for job in box.running if job not in gone],
            lines={owner: iter(sorted(jobs, key=own_order)) for owner, jobs in lines.items()},
        )
        return any(entry.job.id == self.place.job.id for entry in plan(after).starts)

    def _ends_soon(self, job: RunningJob) -> bool:
        """Return whether the device of a job is waited for, because the job ends in a moment.

        An overdue job waits for that no longer than a moment, since a prediction can stay wrong.
        """
        box, place = self.box, self.place
        if place.rank is Rank.OVERDUE:
            owner = box.owners.get(place.job.owner) or Owner(place.job.owner)
            age = box.now - max(place.job.eligible_at, owner.last_start_at)
            if age - box.policy.overdue_seconds > SOON_SECONDS:
                return False
        soon = box.now + max(4 * job.switch_seconds, SOON_SECONDS)
        return box.now <= job.ends_p50 <= soon

    def _gives_way(self, job: RunningJob) -> bool:
        """Return whether the running job may have to stop for the waiting job."""
        box, place = self.box, self.place
        if not has_had_quantum(box.policy, job, box.now):
            return False
        if place.rank is Rank.OVERDUE:
            return True
        return (
            may_give_way(box.policy, job)
            and job.owner != place.job.owner
            and place.rank <= Rank.of_priority(job.priority)
            and job.ends_p50 - box.now > 2 * job.switch_seconds
            and self._usage(job) - place.usage >= box.policy.quantum_seconds * place.job.gpus
        )

    def _options(self, eligible: Sequence[RunningJob]) -> Iterator[list[RunningJob]]:
        """Yield sets of jobs that could stop, the smallest first."""
        if self.place.job.gpus > 1:
            yield from (list(eligible[:count]) for count in range(1, len(eligible) + 1))
            return
        # Jobs that share a device may have to stop together.
        names = dict.fromkeys(name for job in eligible for name in job.devices)
        by_device = [[job for job in eligible if name in job.devices] for name in names]
        for count in range(1, max(map(len, by_device), default=0) + 1):
            yield from (jobs[:count] for jobs in by_device if len(jobs) >= count)

    def _victim_order(self, job: RunningJob) -> tuple[bool, bool, float, float, str]:
        """Return the key by which jobs stop: low priority, overrun, most used, newest first."""
        is_in_time = job.ends_p90 >= self.box.now
        return (job.priority > LOW, is_in_time, -self._usage(job), -job.started_at, job.id)

    def _usage(self, job: RunningJob) -> float:
        owner = self.box.owners.get(job.owner) or Owner(job.owner)
        return owner.usage / owner.weight


def _without(device: Device, gone: Sequence[RunningJob]) -> Device:
    """Return the device as it is after these jobs: what it computes then is not measured."""
    left = [job for job in gone if device.id in job.devices]
    if not left:
        return device
    freed = sum(job.held_mib for job in left)
    return replace(device, free_mib=device.free_mib + freed, utilization=None)


def _as_waiting(box: Box, job: RunningJob) -> WaitingJob:
    p50, p90 = (max(1.0, at - box.now) for at in (job.ends_p50, job.ends_p90))
    return WaitingJob(
        job.id,
        job.owner,
        job.priority,
        box.now,
        max(1, len(job.devices)),
        job.memory_mib,
        p50,
        p90,
        job.utilization,
        job.kind,
        job.placement,
        job.allow_inexact,
    )
