"""Quarantine of devices that failed: they get no job for a while, longer after each fault."""

import time
from dataclasses import dataclass

import structlog

from worker.dispatch.device import Device

log = structlog.get_logger()

#: After the first fault; doubled with each further fault.
FIRST_SECONDS = 300.0
MAX_SECONDS = 3600.0


@dataclass(frozen=True)
class Record:
    """The faults of a device since its last good job."""

    faults: int
    #: Until when it gets no job, by the monotonic clock.
    until: float


class Quarantine:
    """The devices that get no job at present."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}

    def add(self, device: Device) -> None:
        """Quarantine a device that failed, for twice as long as the last time.

        The jobs that share a device fail together, which is one fault.
        """
        if self.contains(device):
            return
        previous = self._records.get(device.name)
        faults = 1 if previous is None else previous.faults + 1
        seconds = min(FIRST_SECONDS * 2 ** (faults - 1), MAX_SECONDS)
        self._records[device.name] = Record(faults, time.monotonic() + seconds)
        log.error(
            "device quarantined after a fault",
            device=device.name,
            model=device.model,
            uuid=device.uuid,
            faults=faults,
            seconds=seconds,
            hint="See the job's log for the error and the kernel's log (dmesg) for the driver's.",
        )

    def release(self, device: Device) -> None:
        """Forget the faults of a device: a job succeeded on it."""
        self._records.pop(device.name, None)

    def contains(self, device: Device) -> bool:
        """Return whether the device gets no job at present."""
        record = self._records.get(device.name)
        return record is not None and time.monotonic() < record.until
