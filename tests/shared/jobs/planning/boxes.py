"""Random boxes, as a strategy of Hypothesis, and boxes after a plan is carried out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf

from hypothesis import strategies as st

from shared.jobs.planning.box import (
    Box,
    Device,
    Owner,
    Policy,
    RunningJob,
    WaitingJob,
    own_order,
)

NOW = 1_000_000.0
#: Random boxes in each test.
EXAMPLES = 50
TOTAL_MIB = 1_000.0


@dataclass(frozen=True)
class State:
    """A box whose lines can be read again and again."""

    policy: Policy
    owners: dict[str, Owner]
    devices: list[Device]
    running: list[RunningJob]
    waiting: list[WaitingJob]
    now: float = NOW

    def box(self) -> Box:
        """Return the box that a plan reads."""
        return Box(self.now, self.policy, self.owners, self.devices, self.running, self._lines())

    def _lines(self) -> dict[str, Iterator[WaitingJob]]:
        lines: dict[str, list[WaitingJob]] = {}
        for job in self.waiting:
            lines.setdefault(job.owner, []).append(job)
        return {owner: iter(sorted(jobs, key=own_order)) for owner, jobs in lines.items()}

    def with_started(self, job: WaitingJob, devices: tuple[str, ...], is_head: bool) -> "State":
        """Return the box right after a job has started."""
        running = RunningJob(
            job.id,
            job.owner,
            job.priority,
            devices,
            self.now,
            job.memory_mib,
            self.now + job.seconds_p50,
            self.now + job.seconds_p90,
            job.utilization,
        )
        owner = self.owners.get(job.owner) or Owner(job.owner)
        if is_head:
            owner = replace(owner, last_start_at=self.now)
        return replace(
            self,
            owners=self.owners | {owner.name: owner},
            devices=[
                replace(device, free_mib=device.free_mib - job.memory_mib)
                if device.id in devices
                else device
                for device in self.devices
            ],
            running=[*self.running, running],
            waiting=[other for other in self.waiting if other is not job],
        )

    def without_running(self, jobs: set[str]) -> "State":
        """Return the box after running jobs have ended."""
        ended = [job for job in self.running if job.id in jobs]
        return replace(
            self,
            running=[job for job in self.running if job not in ended],
            devices=[
                replace(
                    device,
                    free_mib=device.free_mib
                    + sum(job.memory_mib for job in ended if device.id in job.devices),
                )
                for device in self.devices
            ],
        )


_seconds = st.floats(1, 1e5) | st.just(inf)
_priority = st.sampled_from([-10, 0, 0, 10])
_owner = st.sampled_from(["ada", "ben", "cleo", "dan"])


@st.composite
def _waiting(draw: st.DrawFn, number: int) -> WaitingJob:
    p50 = draw(_seconds)
    return WaitingJob(
        f"job_{number:03}",
        draw(_owner),
        draw(_priority),
        NOW - draw(st.floats(0, 1e5)),
        draw(st.sampled_from([1, 1, 1, 2, 3])),
        draw(st.sampled_from([0.0, 100.0, 400.0, 900.0, 2_000.0])),
        p50,
        p50 * draw(st.floats(1, 3)),
        draw(st.floats(0, 1)),
    )


@st.composite
def states(draw: st.DrawFn) -> State:
    """Draw a box that could exist: running jobs fit on their devices."""
    policy = Policy(
        time_sharing=draw(st.sampled_from(["off", "exact", "all"])),
        jobs_per_device=draw(st.sampled_from([1, 4])),
    )
    devices = [
        Device(f"{host}/cuda:{number}", host, TOTAL_MIB, TOTAL_MIB, closed=closed)
        for host, count in (("a", draw(st.integers(1, 3))), ("b", draw(st.integers(0, 2))))
        for number in range(count)
        for closed in [draw(st.sampled_from([None, None, None, "quarantined", "elsewhere"]))]
    ]
    owners = {
        name: Owner(
            name,
            draw(st.sampled_from([0.5, 1.0, 2.0])),
            draw(st.floats(0, 1e6)),
            NOW - draw(st.floats(0, 1e5)),
        )
        for name in ("ada", "ben", "cleo")
    }
    state = State(policy, owners, devices, [], [])
    for number, device in enumerate(devices):
        if device.closed is None and draw(st.booleans()):
            job = replace(draw(_waiting(900 + number)), gpus=1, memory_mib=300.0)
            state = replace(state, now=NOW - draw(st.floats(0, 1e4)))
            state = state.with_started(job, (device.id,), False)
    waiting = [draw(_waiting(number)) for number in range(draw(st.integers(0, 9)))]
    return replace(state, now=NOW, waiting=waiting)
