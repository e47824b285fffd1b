"""What the plan is computed from: the policy, owners, devices, running and waiting jobs.

Times are seconds since the epoch, of one clock; `now` is the only clock that the plan knows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from math import inf
from typing import Literal

from shared.states import PRIORITIES

HIGH, LOW = PRIORITIES["high"], PRIORITIES["low"]
#: How long a job of high priority is meant to take at most: then it gives way to a person who is
#: overdue, and one without a time limit counts with this in its owner's budget.
HIGH_SECONDS = 14_400.0
#: A job without a prediction counts as this long where its owner's next job is put in order.
UNKNOWN_SECONDS = 600.0
#: Devices that get no job for a reason that has to be repaired first.
UNUSABLE = ("quarantined", "draining", "away")
#: A job counts with this share of its device's time until the device was measured with it: four new
#: jobs share a device. Less than most jobs take: jobs that are too slow together are separated.
UNKNOWN_UTILIZATION = 0.25

TimeSharing = Literal["exact", "all", "off"]
#: Why a person's jobs may not start: as many run as are allowed, the device time of the week is
#: used, or the account is disabled.
LimitedBy = Literal["running", "device_seconds_week", "disabled"]


class Rank(IntEnum):
    """What decides first between the next jobs of two owners."""

    OVERDUE = 0
    HIGH = 1
    NORMAL = 2
    LOW = 3

    @classmethod
    def of_priority(cls, priority: int) -> "Rank":
        """Return the rank of a job that is not overdue."""
        if priority >= HIGH:
            return cls.HIGH
        return cls.LOW if priority <= LOW else cls.NORMAL


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one box."""

    #: Used time counts half after this long.
    half_life_seconds: float = 86_400.0
    #: An owner whose first job has waited this long since the last start is next.
    overdue_seconds: float = 43_200.0
    #: How long a job runs before it gives way to another owner's.
    quantum_seconds: float = 1_800.0
    #: The same for a job of low priority.
    quantum_of_low_seconds: float = 300.0
    #: Which jobs give way: whose resumption is exact, all, or none.
    time_sharing: TimeSharing = "off"
    #: How many jobs share a device where their memory fits.
    jobs_per_device: int = 1
    #: What a person may use who has no limit of their own: `running`, `device_seconds_week`.
    limits: Mapping[str, float] = field(default_factory=dict, hash=False)

    def jobs_on(self, device: "Device") -> int:
        """Return how many jobs a device may have: several only where its memory limits them."""
        return self.jobs_per_device if device.total_mib else 1


@dataclass(frozen=True, slots=True)
class Owner:
    """A person who has jobs."""

    name: str
    weight: float = 1.0
    #: Decayed device-seconds at `now`.
    usage: float = 0.0
    #: When the owner's first job in line last started.
    last_start_at: float = -inf
    #: How many jobs may run at the same time; None for any number.
    max_running: int | None = None
    #: How many more jobs may start; None for any number. If no more, `limited_by` says why.
    startable: int | None = None
    limited_by: LimitedBy | None = None


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """A job that waits."""

    id: str
    owner: str
    priority: int
    eligible_at: float
    gpus: int = 1
    memory_mib: float = 0.0
    #: The predicted duration; infinite if unknown.
    seconds_p50: float = inf
    seconds_p90: float = inf
    #: The predicted share of a device's time that it computes.
    utilization: float = UNKNOWN_UTILIZATION
    #: Of its cost: jobs of a kind are equally fast next to others. Empty if unknown.
    kind: str = ""
    #: The model of the devices on which it continues its checkpoint bit for bit; empty for any.
    placement: str = ""
    #: Whether it may continue on other devices after a while.
    allow_inexact: bool = False

    @property
    def can_share(self) -> bool:
        """Whether it may start next to other jobs: its memory must have a limit."""
        return self.gpus == 1 and self.memory_mib > 0

    @property
    def held_mib(self) -> float:
        """The memory that its end frees."""
        return self.memory_mib


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that runs."""

    id: str
    owner: str
    priority: int
    devices: tuple[str, ...]
    started_at: float
    memory_mib: float = 0.0
    #: When it is predicted to end; infinite if unknown.
    ends_p50: float = inf
    ends_p90: float = inf
    utilization: float = UNKNOWN_UTILIZATION
    #: Whether it continues bit for bit after it has given way.
    is_exact: bool = True
    #: Whether it has been requested to stop.
    is_stopping: bool = False
    #: What a stop with a checkpoint and the later start take together.
    switch_seconds: float = 20.0
    #: The memory that it uses now; 0 if that is not known.
    used_mib: float = 0.0
    #: The waiting job for which it has been requested to stop, if it will wait again.
    yields_to: str | None = None
    #: The number of its attempt.
    attempt: int = 0
    #: As of a waiting job.
    kind: str = ""
    placement: str = ""
    allow_inexact: bool = False

    @property
    def can_share(self) -> bool:
        """Whether other jobs may be on its device: its own memory must have a limit."""
        return len(self.devices) == 1 and self.memory_mib > 0

    @property
    def held_mib(self) -> float:
        """The memory that its end frees."""
        return max(self.memory_mib, self.used_mib)


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU, or a slot of the CPU."""

    #: "worker/cuda:0".
    id: str
    host: str
    #: 0 if memory does not limit it, as for a slot of the CPU.
    total_mib: float = 0.0
    #: What further jobs may use; running jobs count with their whole limits.
    free_mib: float = 0.0
    foreign_mib: float = 0.0
    #: Whether the device reports its free memory; otherwise only our jobs are known.
    has_reading: bool = False
    #: The share of the last seconds in which it computed, and how many seconds; None if unknown.
    utilization: float | None = None
    utilization_seconds: float = 60.0
    #: Pairs of kinds of jobs that were slower together than one after the other.
    apart: frozenset[frozenset[str]] = frozenset()
    #: Why it gets no job now: `quarantined`, `draining`, `away`, `busy` (with what is no job), or
    #: `elsewhere`, on another host than the dispatcher's; None if it gets jobs.
    closed: str | None = None
    #: Devices of a model give the same bits; empty for a slot of the CPU.
    model: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """Everything that the plan depends on."""

    now: float
    policy: Policy
    owners: Mapping[str, Owner]
    devices: Sequence[Device]
    running: Sequence[RunningJob]
    #: The jobs of each owner, in the owner's own order; read as far as they are needed.
    lines: Mapping[str, Iterator[WaitingJob]] = field(repr=False)
    #: At which place in the order (`Place.key`) the jobs begin that the lines leave out.
    unread_from: tuple[int, float, str] | None = None


def own_order(job: WaitingJob) -> tuple[int, str]:
    """Return the key that orders the jobs of one owner: by priority, then by age."""
    return (-job.priority, job.id)
