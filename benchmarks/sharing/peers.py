"""Policies of other schedulers, reduced to what decides here: order, packing, backfill.

They are models, not the programs: FIFO; Slurm's multifactor priority with backfill by users' time
limits; gflow's fair share within a priority, skipping what does not fit; jobd's priority and age
with packing by memory.
"""

from dataclasses import dataclass
from math import inf
from typing import Literal

from benchmarks.sharing.simulator import Decision, Simulation
from benchmarks.sharing.workload import DEVICE_MIB, MARGIN, PEOPLE, SimulatedJob

WEEK_SECONDS = 7 * 86_400.0
MAX_JOBS_PER_DEVICE = 4
#: How many waiting jobs are looked at.
MAX_CANDIDATES = 100
#: The weight of each of Slurm's factors.
FACTOR = 1_000.0


@dataclass(frozen=True)
class Peer:
    """A policy by its order, packing and backfill."""

    order: Literal["fifo", "priority", "multifactor", "fair"]
    #: `none` stops at the first job that does not fit, `skip` passes it, `reserve` plans its start.
    backfill: Literal["none", "skip", "reserve"]
    packs: bool = False

    def __call__(self, box: Simulation) -> Decision:
        """Return the starts of this moment."""
        room = _Room(box)
        starts: list[tuple[SimulatedJob, tuple[str, ...], bool]] = []
        for job in self._ordered(box)[:MAX_CANDIDATES]:
            devices = room.find(job, self.packs)
            if devices is not None:
                room.add(job, devices, box.now + job.limit_seconds)
                starts.append((job, devices, False))
            elif self.backfill == "none":
                break
            elif self.backfill == "reserve":
                room.reserve(job)
        return Decision(starts)

    def _ordered(self, box: Simulation) -> list[SimulatedJob]:
        if self.order == "fifo":
            return sorted(box.waiting, key=lambda job: job.id)
        if self.order == "priority":
            return sorted(box.waiting, key=lambda job: (-job.priority, job.id))
        usage = {owner: box.decayed(owner) for owner in box.usage}
        if self.order == "fair":
            return sorted(box.waiting, key=lambda job: (-job.priority, usage[job.owner], job.id))
        total = sum(usage.values()) or 1.0

        def score(job: SimulatedJob) -> float:
            fair = 2 ** (-usage[job.owner] / total * PEOPLE)
            age = min(1.0, (box.now - job.submitted_at) / WEEK_SECONDS)
            return FACTOR * ((job.priority + 10) / 20 + fair + age)

        return sorted(box.waiting, key=lambda job: (-score(job), job.id))


class _Room:
    """The devices while a peer fills them."""

    def __init__(self, box: Simulation) -> None:
        self.now, self.names = box.now, box.names
        self.free = dict.fromkeys(box.names, DEVICE_MIB)
        self.jobs = dict.fromkeys(box.names, 0)
        self.is_whole = dict.fromkeys(box.names, False)
        self.free_at = dict.fromkeys(box.names, box.now)
        self.held_from = dict.fromkeys(box.names, inf)
        for job in box.running:
            left = max(60.0, job.limit_seconds - job.done) / max(job.speed, 0.3)
            self.add(job, job.devices, box.now + left)

    def add(self, job: SimulatedJob, devices: tuple[str, ...], ends_at: float) -> None:
        for name in devices:
            self.free[name] -= job.memory_mib * MARGIN
            self.jobs[name] += 1
            self.is_whole[name] |= job.gpus > 1
            self.free_at[name] = max(self.free_at[name], ends_at)

    def find(self, job: SimulatedJob, packs: bool) -> tuple[str, ...] | None:
        usable = [
            name for name in self.names if self.now + job.limit_seconds <= self.held_from[name]
        ]
        empty = [name for name in usable if not self.jobs[name]]
        if len(empty) >= job.gpus:
            return tuple(empty[: job.gpus])
        if not packs or job.gpus > 1:
            return None
        shared = [
            name
            for name in usable
            if 0 < self.jobs[name] < MAX_JOBS_PER_DEVICE
            and not self.is_whole[name]
            and self.free[name] >= job.memory_mib * MARGIN
        ]
        return (min(shared, key=self.free.__getitem__),) if shared else None

    def reserve(self, job: SimulatedJob) -> None:
        names = sorted(self.names, key=self.free_at.__getitem__)[: job.gpus]
        at = self.free_at[names[-1]]
        for name in names:
            self.held_from[name] = min(self.held_from[name], at)
            self.free_at[name] = at + job.limit_seconds


PEERS = {
    "FIFO, whole devices": Peer("fifo", "none"),
    "Slurm-like": Peer("multifactor", "reserve"),
    "gflow-like": Peer("fair", "skip"),
    "jobd-like": Peer("priority", "skip", packs=True),
}
