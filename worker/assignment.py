"""What a dispatcher hands to a runner: one JSON line on its standard input."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import orjson

from shared.jobs.attempts import Lease

#: What a spare says once it is warm.
READY = b"ready\n"


@dataclass(frozen=True)
class Assignment:
    """A job to train, with the right to write for it."""

    job_id: str
    attempt: int
    spec: dict[str, Any]
    resume_from: str | None
    device: str
    #: NVML's identifier of the GPU; empty on the CPU.
    uuid: str
    threads: int
    #: The GPU's place among those that the spare can see; 0 on the CPU.
    index: int = 0

    @property
    def lease(self) -> Lease:
        """The right to write."""
        return Lease(self.job_id, self.attempt)

    def line(self) -> bytes:
        """The assignment as it goes through the pipe."""
        return orjson.dumps(asdict(self)) + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """The assignment as it comes out of the pipe."""
        return cls(**orjson.loads(line))


#: How a runner ends, when it does so by itself. BUSY: another one has the job or the device;
#: STALLED: no step for very long; DEVICE_FAULT: the GPU or its driver failed, not the job.
DONE, CANCELLED, DRAINED, BUSY, STALLED, DEVICE_FAULT, FENCED = 0, 10, 11, 12, 13, 14, 75
