"""A device of this machine, and what is read of it while jobs run."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Device:
    """A GPU or a CPU slot."""

    #: "cuda:0" or "cpu:0".
    name: str
    #: The product's name, for people.
    model: str
    #: NVML's identifier, which CUDA_VISIBLE_DEVICES accepts; empty for the CPU.
    uuid: str = ""
    #: Of the GPU, or of the whole machine, which all CPU slots share; 0 if unknown.
    memory_mib: int = 0
    #: Whether it is simulated: its jobs train on the CPU.
    is_simulated: bool = False

    @property
    def is_gpu(self) -> bool:
        """Whether jobs compute on a GPU there."""
        return bool(self.uuid)

    @property
    def has_own_memory(self) -> bool:
        """Whether its memory decides which jobs fit."""
        return self.memory_mib > 0 and (self.is_gpu or self.is_simulated)

    def as_json(self) -> dict[str, Any]:
        """Return the device as the database stores it."""
        return asdict(self) | {"has_own_memory": self.has_own_memory}


@dataclass(frozen=True)
class Process:
    """A process that uses a device."""

    pid: int
    #: 0 if the driver does not report it, as for processes of other containers.
    memory_mib: float


@dataclass(frozen=True)
class Reading:
    """What a device reports at one moment."""

    #: That no process uses.
    free_mib: float
    processes: tuple[Process, ...] = ()
    #: The share of the last moment in which it computed; None if unknown.
    utilization: float | None = None
