"""The plan as a box runs it: the utilization of jobs is measured, not known, and pairs can part.

A job counts with a fixed share until the device was measured with it for a minute. Where the
jobs of a device are together for a minute and too slow, the newest leaves, and the two do not
share a device again.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

from benchmarks.sharing.ours import Ours, as_box
from benchmarks.sharing.simulator import Decision, Simulation
from benchmarks.sharing.workload import SimulatedJob
from shared.jobs.planning.box import UNKNOWN_UTILIZATION, Box, Device, Policy
from worker.dispatch.interference import LEAST_GAIN, TOGETHER_SECONDS
from worker.dispatch.occupancy import UTILIZATION_SECONDS


@dataclass
class _Memory:
    """What the box has measured: since when the jobs of a device are together, and who is apart."""

    together: dict[str, tuple[tuple[str, ...], float]] = field(
        default_factory=dict[str, tuple[tuple[str, ...], float]]
    )
    judged: set[tuple[str, ...]] = field(default_factory=set[tuple[str, ...]])
    apart: set[frozenset[str]] = field(default_factory=set[frozenset[str]])


class Deployed(Ours):
    """The plan with a policy, with what a box knows of its jobs."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._memories: WeakKeyDictionary[Simulation, _Memory] = WeakKeyDictionary()

    def __call__(self, box: Simulation) -> Decision:
        """Return what the plan says, and which jobs leave their device."""
        separated = self._separate(box)
        decision = super().__call__(box)
        yields = [job for job in separated if job not in decision.yields]
        return replace(decision, yields=[*decision.yields, *yields])

    def state(self, box: Simulation) -> Box:
        """Return a simulation's state as its worker knows it."""
        known = as_box(box, self.policy)
        on, apart = _by_device(box), frozenset(self._memory(box).apart)
        return replace(
            known,
            devices=[_measured(device, on[device.id], apart) for device in known.devices],
            running=[
                replace(job, utilization=UNKNOWN_UTILIZATION, kind=job.id) for job in known.running
            ],
            lines={
                owner: (replace(job, utilization=UNKNOWN_UTILIZATION, kind=job.id) for job in line)
                for owner, line in known.lines.items()
            },
        )

    def _memory(self, box: Simulation) -> _Memory:
        return self._memories.setdefault(box, _Memory())

    def _separate(self, box: Simulation) -> list[SimulatedJob]:
        """Return the jobs that leave; have the simulation call again when others are judged."""
        memory, found = self._memory(box), []
        box.next_look = box.end_seconds
        for name, unordered in _by_device(box).items():
            jobs = sorted(unordered, key=lambda job: (job.started_at, job.id))
            ids = tuple(job.id for job in jobs)
            if memory.together.get(name, ((), 0.0))[0] != ids:
                memory.together[name] = (ids, box.now)
            due = memory.together[name][1] + TOGETHER_SECONDS
            if len(jobs) < 2 or ids in memory.judged:
                continue
            if box.now < due:
                box.next_look = min(box.next_look, due)
                continue
            memory.judged.add(ids)
            if sum(job.speed for job in jobs) < LEAST_GAIN:
                found.append(jobs[-1])
                memory.apart |= {frozenset((jobs[-1].id, job.id)) for job in jobs[:-1]}
        return found


def _by_device(box: Simulation) -> dict[str, list[SimulatedJob]]:
    on: dict[str, list[SimulatedJob]] = defaultdict(list)
    for job in box.running:
        for name in job.devices:
            on[name].append(job)
    return on


def _measured(device: Device, jobs: list[SimulatedJob], apart: frozenset[frozenset[str]]) -> Device:
    utilization = min(1.0, sum(job.utilization for job in jobs))
    return replace(
        device,
        utilization=utilization,
        utilization_seconds=UTILIZATION_SECONDS,
        apart=apart,
    )
