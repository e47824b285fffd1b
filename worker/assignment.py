"""What dispatcher and runner agree on: the assignment of a job, and the runner's exit codes."""

from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Self

import orjson

from shared.jobs.attempts import Lease

#: What a spare writes to its standard output once it is warm.
READY = b"ready\n"
#: What it reads before its assignment: set up the GPU with this position among the visible GPUs.
WARM_GPU = b"warm GPU "


@dataclass(frozen=True)
class FurtherDevice:
    """A device of a job of several devices, apart from its first."""

    device: str
    uuid: str
    index: int


@dataclass(frozen=True)
class Assignment:
    """A claimed job, as one JSON line on the standard input of a runner."""

    job_id: str
    attempt: int
    spec: dict[str, Any]
    resume_from: str | None
    device: str
    #: NVML's identifier of the GPU; empty on the CPU.
    uuid: str
    threads: int
    #: The GPU's position among the GPUs visible to the runner; 0 on the CPU.
    index: int = 0
    #: The epoch after which the training ends early; None to train to the end.
    epoch_limit: int | None = None
    #: The memory of the device that it may use; 0 for no limit.
    memory_mib: float = 0.0
    #: Whether other jobs may share the device.
    is_shared: bool = False
    #: The product's name of the device, as the worker reports it.
    model: str = ""
    #: The devices of the ranks after the first.
    further: tuple[FurtherDevice, ...] = ()

    @property
    def lease(self) -> Lease:
        """The right to write for the job."""
        return Lease(self.job_id, self.attempt)

    def line(self) -> bytes:
        """Return the assignment as a line of JSON."""
        return orjson.dumps(asdict(self)) + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """Return the assignment that a line of JSON holds."""
        values = orjson.loads(line)
        further = tuple(FurtherDevice(**device) for device in values.pop("further", ()))
        return cls(**values, further=further)


def ranks_directory(home: Path, job_id: str) -> Path:
    """Return the directory by which the ranks of a job find each other on their machine."""
    return home / "ranks" / job_id


class ExitCode(IntEnum):
    """How a runner ended that was not killed."""

    #: The job's result is in the database.
    DONE = 0
    #: Its job was to be cancelled.
    CANCELLED = 10
    #: It wrote a checkpoint because its worker stops; the job is to be resumed.
    DRAINED = 11
    #: Another process still holds the lock of the job or of the device.
    BUSY = 12
    #: A step took so long that it will not end any more.
    STALLED = 13
    #: The GPU or its driver failed, not the job.
    DEVICE_FAULT = 14
    #: It wrote a checkpoint because its job is to be paused.
    PAUSED = 15
    #: It wrote a checkpoint because its job gives way to a waiting job.
    YIELDED = 16
    #: A rank after the first: another rank has ended, which is the cause to report.
    RANK_LOST = 17
    #: A rank after the first: its failure is on its standard output.
    RANK_FAILED = 18
    #: It needs more memory than was planned for it.
    MEMORY_LIMIT = 19
    #: Another attempt has the job.
    FENCED = 75
