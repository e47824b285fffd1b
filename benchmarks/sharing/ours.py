"""The policy of this service: the plan that also makes the claims."""

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.sharing.peers import MAX_CANDIDATES
from benchmarks.sharing.simulator import SWITCH_SECONDS, Decision, Simulation
from benchmarks.sharing.workload import DEVICE_MIB, MARGIN, SimulatedJob
from shared.jobs.planning.box import Box, Device, Owner, Policy, RunningJob, WaitingJob, own_order
from shared.jobs.planning.plan import plan
from shared.jobs.planning.yielding import find_yields

#: A running job's own speed is known after this share of its work.
KNOWN_FROM = 0.05
WHOLE_DEVICES = Policy()
PACKED = replace(WHOLE_DEVICES, jobs_per_device=4)
SHARED = replace(PACKED, time_sharing="exact")


class Ours:
    """The plan with a policy, as a simulation's policy."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def __call__(self, box: Simulation) -> Decision:
        """Return what the plan says."""
        state = self.state(box)
        made = plan(state, depth=MAX_CANDIDATES)
        waiting = {job.id: job for job in box.waiting}
        running = {job.id: job for job in box.running}
        starts = [
            (waiting[entry.job.id], entry.devices, entry.place.is_head)
            for entry in made.starts
            if entry.devices
        ]
        return Decision(starts, [running[stopping.job] for stopping in find_yields(state, made)])

    def state(self, box: Simulation) -> Box:
        """Return a simulation's state as the plan reads it."""
        return as_box(box, self.policy)


def as_box(box: Simulation, policy: Policy) -> Box:
    """Return a simulation's state as the plan reads it."""
    free = dict.fromkeys(box.names, DEVICE_MIB)
    for job in box.running:
        for name in job.devices:
            free[name] -= job.memory_mib * MARGIN
    lines: dict[str, list[WaitingJob]] = {}
    for job in box.waiting:
        lines.setdefault(job.owner, []).append(_waiting(job))
    return Box(
        now=box.now,
        policy=policy,
        owners={
            name: Owner(name, 1.0, box.decayed(name), box.last_start_at[name]) for name in box.usage
        },
        devices=[Device(name, "box", DEVICE_MIB, free[name]) for name in box.names],
        running=[_running(job, box.now) for job in box.running],
        lines={owner: _ordered(jobs) for owner, jobs in lines.items()},
    )


def _ordered(jobs: list[WaitingJob]) -> Iterator[WaitingJob]:
    return iter(sorted(jobs, key=own_order))


def _waiting(job: SimulatedJob) -> WaitingJob:
    p50, p90 = predicted_left(job)
    return WaitingJob(
        job.id,
        job.owner,
        job.priority,
        job.eligible_at,
        job.gpus,
        job.memory_mib * MARGIN,
        p50,
        p90,
        job.utilization,
    )


def _running(job: SimulatedJob, now: float) -> RunningJob:
    p50, p90 = (job.switching + left / job.speed for left in predicted_left(job))
    return RunningJob(
        job.id,
        job.owner,
        job.priority,
        job.devices,
        job.started_at,
        job.memory_mib * MARGIN,
        now + p50,
        now + p90,
        job.utilization,
        is_stopping=job.stops_at is not None,
        yields_to=None if job.stops_at is None else "",
        switch_seconds=SWITCH_SECONDS,
    )


def predicted_left(job: SimulatedJob) -> tuple[float, float]:
    """Return the p50 and p90 of what is left, from the job's own speed once that is known."""
    if job.done > KNOWN_FROM * job.seconds:
        left = job.left * job.own_error
        return left, left * 1.1
    return max(1.0, job.predicted_p50 - job.done), max(1.0, job.predicted_p90 - job.done)
