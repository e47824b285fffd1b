"""What the devices of a worker report, and which of them can get a further job."""

import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import structlog

from shared.jobs import read_box
from shared.jobs.attempts import ClaimedJob
from shared.jobs.planning import box as planning
from shared.settings import Settings
from worker.dispatch.device import Device, Reading
from worker.dispatch.interference import Interference
from worker.dispatch.inventory import Inventory
from worker.dispatch.quarantine import Quarantine
from worker.dispatch.runners import Runner
from worker.locks import device_lock, is_held

log = structlog.get_logger()

#: Over which the utilization of a GPU is averaged. A simulated one is known at once.
UTILIZATION_SECONDS = 60.0
#: A device counts as lost after so many readings without it.
READINGS_UNTIL_LOST = 2


class Occupancy:
    """The devices of this worker: readings, room for jobs, and how they are reported.

    Args:
        settings: of the worker.
        devices: all devices of the worker.
        inventory: reads them.
        quarantine: the devices that get no job for a while.
        jobs_per_device: how many jobs share a device with memory of its own.
    """

    def __init__(
        self,
        settings: Settings,
        devices: Sequence[Device],
        inventory: Inventory,
        quarantine: Quarantine,
        jobs_per_device: int,
    ) -> None:
        self.settings = settings
        self.devices = devices
        self.quarantine = quarantine
        self.jobs_per_device = jobs_per_device
        self.interference = Interference()
        self._inventory = inventory
        self._readings: dict[str, Reading] = {}
        #: How many readings in a row a device was gone.
        self._gone: dict[str, int] = {}
        #: When each utilization was read, by the monotonic clock.
        self._utilizations: dict[str, deque[tuple[float, float]]] = {}

    def read(self) -> None:
        """Read all devices."""
        at = time.monotonic()
        for name, reading in self._inventory.read(self.devices).items():
            if reading is None:
                self._gone[name] = self._gone.get(name, 0) + 1
                if self._gone[name] == READINGS_UNTIL_LOST:
                    log.error("device lost", device=name)
                continue
            if self._gone.pop(name, 0) >= READINGS_UNTIL_LOST:
                log.info("device found again", device=name)
            self._readings[name] = reading
            if reading.utilization is not None:
                read = self._utilizations.setdefault(name, deque())
                read.append((at, reading.utilization))
                while read[0][0] < at - UTILIZATION_SECONDS:
                    read.popleft()

    def is_lost(self, device: Device) -> bool:
        """Return whether the device has gone while the worker runs."""
        return self._gone.get(device.name, 0) >= READINGS_UNTIL_LOST

    def state(self, device: Device) -> str | None:
        """Return why a device gets no job, whatever runs there; None if it gets jobs."""
        if device.name in self._gone:
            return "away"
        return "quarantined" if self.quarantine.contains(device) else None

    def usable(self) -> list[Device]:
        """Return the devices that a spare may get."""
        return [device for device in self.devices if self.state(device) is None]

    def has_room(self, device: Device, runners: Iterable[Runner]) -> bool:
        """Return whether the device may get a further job, if its memory suffices.

        Without a runner of ours it must not be locked, as by a runner that was fenced.
        """
        names = [[used.name for used in runner.devices] for runner in runners]
        users = [used for used in names if device.name in used]
        if not users:
            return not is_held(device_lock(self.settings, device.name, device.uuid))
        if any(len(used) > 1 for used in users):
            return False  # with a job of several devices no other shares
        return len(users) < (self.jobs_per_device if device.has_own_memory else 1)

    def can_share(self, device: Device) -> bool:
        """Return whether several jobs may be on the device."""
        return device.has_own_memory and self.jobs_per_device > 1

    def is_shared(self, devices: Sequence[Device], memory_mib: float) -> bool:
        """Return whether other jobs may join a job.

        Args:
            devices: of the job.
            memory_mib: the job's limit; 0 if it has none.
        """
        return len(devices) == 1 and self.can_share(devices[0]) and memory_mib > 0

    def limit_mib(self, devices: Sequence[Device], claimed: ClaimedJob) -> float:
        """Return the memory of each of its devices that a job may use; 0 for no limit.

        A prediction limits only a job that others may join.
        """
        if self.is_shared(devices, claimed.memory_mib):
            return claimed.memory_mib
        resources = claimed.spec.get("resources") or {}
        return float(resources.get("gpu_memory_mib") or 0.0) if devices[0].is_gpu else 0.0

    def as_planned(self, worker: str, host: str, free: Collection[Device]) -> list[planning.Device]:
        """Return all devices as the plan reads them; all but `free` are closed."""
        return [
            read_box.as_device(
                worker,
                host,
                self._values(device)
                | {"state": self.state(device) or (None if device in free else "busy")},
            )
            for device in self.devices
        ]

    def report(self, own_pids: Collection[int]) -> list[dict[str, Any]]:
        """Return the devices as the database stores them.

        Args:
            own_pids: the processes of this worker, which are not foreign.
        """
        return [
            self._values(device)
            | {"state": self.state(device), "foreign": self._foreign(device, own_pids)}
            for device in self.devices
        ]

    def _values(self, device: Device) -> dict[str, Any]:
        reading = self._readings.get(device.name)
        read = self._utilizations.get(device.name)
        values: dict[str, Any] = {
            "free_mib": None if reading is None else round(reading.free_mib, 1),
            "apart": self.interference.apart(time.monotonic()) if device.has_own_memory else [],
        }
        if read:
            latest = read[-1][1] if device.is_simulated else sum(u for _, u in read) / len(read)
            values["utilization_fraction"] = round(latest, 4)
            values["utilization_seconds"] = 0.0 if device.is_simulated else UTILIZATION_SECONDS
        return device.as_json() | values

    def _foreign(self, device: Device, own_pids: Collection[int]) -> list[dict[str, Any]]:
        reading = self._readings.get(device.name)
        processes = () if reading is None else reading.processes
        return [
            {"pid": process.pid, "memory_mib": round(process.memory_mib, 1)}
            for process in processes
            if process.pid not in own_pids
        ]
