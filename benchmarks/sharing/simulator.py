"""A box with a virtual clock: jobs arrive, run at a speed that depends on their neighbours, end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

from benchmarks.sharing.workload import DEVICES, WEEK, SimulatedJob
from shared.jobs.usage import Ledger, rate_of

TICK_SECONDS = 300.0
#: What a stop with a checkpoint and the later start take together.
SWITCH_SECONDS = 20.0
#: Jobs that share a device lose this much together, even if it is not fully used.
SPEED_TOGETHER = 0.95


@dataclass
class Decision:
    """What a policy does now: starts of waiting jobs, and running jobs that give way."""

    starts: list[tuple[SimulatedJob, tuple[str, ...], bool]]
    yields: list[SimulatedJob] = field(default_factory=list)


Policy = Callable[["Simulation"], Decision]


class Simulation:
    """One week under one policy.

    Args:
        jobs: the submissions, in order.
        policy: is called after every change.
        half_life_seconds: of used time.
        devices: how many there are.
        tick_seconds: between two decisions while jobs wait and nothing else happens.
        end_seconds: when the simulation ends in any case.
    """

    def __init__(
        self,
        jobs: Sequence[SimulatedJob],
        policy: Policy,
        *,
        half_life_seconds: float,
        devices: int = DEVICES,
        tick_seconds: float = TICK_SECONDS,
        end_seconds: float = 10 * WEEK,
    ) -> None:
        self.jobs, self.policy, self.end_seconds = jobs, policy, end_seconds
        self.names = tuple(f"cuda:{number}" for number in range(devices))
        self.tick_seconds = tick_seconds
        #: When the policy is called at the latest, which it may set.
        self.next_look = inf
        self.now = 0.0
        self.ledger = Ledger(0.0, half_life_seconds)
        self.usage = dict.fromkeys(sorted({job.owner for job in jobs}), 0.0)
        self.last_start_at: dict[str, float] = dict.fromkeys(self.usage, -inf)
        #: When an earlier job of a person than the first that waits last ran.
        self.last_earlier_at: dict[str, float] = dict.fromkeys(self.usage, -inf)
        self.waiting: list[SimulatedJob] = []
        self.running: list[SimulatedJob] = []
        #: Device-seconds: charged to anybody at rate 1, with a job on the device, of work done.
        self.charged = self.busy = 0.0
        self.useful_in_week = 0.0
        self.longest_unserved = 0.0

    def run(self) -> None:
        """Run until every job has ended."""
        arriving = iter(self.jobs)
        job = next(arriving, None)
        while (job or self.waiting or self.running) and self.now < self.end_seconds:
            self._advance(min(self._next_change(), inf if job is None else job.submitted_at))
            self._end_jobs()
            while job is not None and job.submitted_at <= self.now:
                self.waiting.append(job)
                job = next(arriving, None)
            decision = self.policy(self)
            for started, devices, is_head in decision.starts:
                self._start(started, devices, is_head)
            for stopping in decision.yields:
                stopping.stops_at = self.now + SWITCH_SECONDS / 2
            self._set_speeds()
            self._note_earlier()

    def decayed(self, owner: str) -> float:
        """Return an owner's used device-seconds as they count now."""
        return self.ledger.decayed(self.usage[owner], self.now)

    def longest_waiting(self) -> float:
        """Return for how long a person's first job in line has waited without being served."""
        return max(map(self._unserved_seconds, self._heads().values()), default=0.0)

    def _unserved_seconds(self, head: SimulatedJob) -> float:
        """Return the time since the person's last start, or since an earlier job of theirs ran."""
        served_at = max(self.last_start_at[head.owner], self.last_earlier_at[head.owner])
        return self.now - max(head.eligible_at, served_at)

    def _heads(self) -> dict[str, SimulatedJob]:
        heads: dict[str, SimulatedJob] = {}
        for job in sorted(self.waiting, key=_own_order):
            heads.setdefault(job.owner, job)
        return heads

    def _note_earlier(self) -> None:
        heads = self._heads()
        for job in self.running:
            head = heads.get(job.owner)
            if head is not None and _own_order(job) < _own_order(head):
                self.last_earlier_at[job.owner] = self.now

    def _next_change(self) -> float:
        times = [self.now + self.tick_seconds] if self.waiting else []
        if self.next_look > self.now:
            times.append(self.next_look)
        for job in self.running:
            times.append(self.now + job.switching + max(0.0, job.left) / job.speed)
            if job.stops_at is not None:
                times.append(job.stops_at)
        return min(times, default=inf)

    def _advance(self, until: float) -> None:
        """Let time pass: jobs work, and their owners are charged."""
        seconds = max(0.0, until - self.now)
        neighbours = self._neighbours()
        in_week = max(0.0, min(until, WEEK) - self.now)
        for job in self.running:
            share = sum(1 / neighbours[name] for name in job.devices)
            charge = self.ledger.charge(self.now, until, rate=rate_of(job.priority), share=share)
            self.usage[job.owner] += charge
            self.charged += share * seconds
            lost = min(job.switching, seconds)
            job.switching -= lost
            job.left -= (seconds - lost) * job.speed
            self.useful_in_week += max(0.0, in_week - lost) * job.speed * job.gpus
        self.busy += seconds * sum(count > 0 for count in neighbours.values())
        self.now = max(self.now, until)

    def _neighbours(self) -> dict[str, int]:
        counts = dict.fromkeys(self.names, 0)
        for job in self.running:
            for name in job.devices:
                counts[name] += 1
        return counts

    def _end_jobs(self) -> None:
        for job in list(self.running):
            if job.left <= 1e-6 and job.switching <= 1e-6:
                job.ended_at = self.now
            elif job.stops_at is not None and job.stops_at <= self.now:
                job.eligible_at = self.now
                job.switching += SWITCH_SECONDS / 2
                job.yields += 1
                self.waiting.append(job)
            else:
                continue
            job.devices, job.stops_at = (), None
            self.running.remove(job)

    def _start(self, job: SimulatedJob, devices: tuple[str, ...], is_head: bool) -> None:
        self.waiting.remove(job)
        self.running.append(job)
        job.devices, job.started_at = devices, self.now
        if job.first_started_at is None:
            job.first_started_at = self.now
        if is_head:
            self.longest_unserved = max(self.longest_unserved, self._unserved_seconds(job))
            self.last_start_at[job.owner] = self.now

    def _set_speeds(self) -> None:
        on: dict[str, list[SimulatedJob]] = {name: [] for name in self.names}
        for job in self.running:
            for name in job.devices:
                on[name].append(job)
        for job in self.running:
            job.speed = min((_speed(on[name]) for name in job.devices), default=1.0)


def _own_order(job: SimulatedJob) -> tuple[int, str]:
    return (-job.priority, job.id)


def _speed(neighbours: list[SimulatedJob]) -> float:
    if len(neighbours) == 1:
        return 1.0
    return SPEED_TOGETHER / max(1.0, sum(job.utilization for job in neighbours))
