"""Devices that failed lately: they get no job for a while, longer each time."""

import time
from dataclasses import dataclass

import structlog

from worker.dispatch.devices import Device

log = structlog.get_logger()

#: After the first fault; doubled with each that follows.
FIRST_SECONDS = 300.0
LONGEST_SECONDS = 3600.0


@dataclass(frozen=True)
class Record:
    """What a device has done."""

    faults: int
    until: float


class Quarantine:
    """Which devices are left out, and until when."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}

    def fault(self, device: Device) -> None:
        """The device failed: leave it out, for twice as long as the last time."""
        before = self._records.get(device.name)
        faults = 1 if before is None else before.faults + 1
        seconds = min(FIRST_SECONDS * 2 ** (faults - 1), LONGEST_SECONDS)
        self._records[device.name] = Record(faults, time.monotonic() + seconds)
        log.error(
            "a device failed and gets no job for a while",
            device=device.name,
            model=device.model,
            uuid=device.uuid,
            faults=faults,
            seconds=seconds,
            hint="the job's log says how; the kernel's log (dmesg) has the driver's messages",
        )

    def clear(self, device: Device) -> None:
        """A job ended well there: what was before is forgotten."""
        self._records.pop(device.name, None)

    def holds(self, device: Device) -> bool:
        """Whether the device is left out now."""
        record = self._records.get(device.name)
        return record is not None and time.monotonic() < record.until
