"""The inventory: which devices there are and what they report, by NVML or from a file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from shared.settings import Settings
from worker.dispatch import nvml
from worker.dispatch.device import Device, Reading
from worker.dispatch.simulated_devices import SimulatedDevices


class Inventory(Protocol):
    """Reads the devices of this machine."""

    def read(self, devices: Iterable[Device], /) -> dict[str, Reading | None]:
        """Return what each device reports, by its name; None for a device that is gone.

        A device of which nothing is known now is left out.
        """
        ...


class InstalledDevices:
    """The GPUs of this machine, and its CPU, which reports nothing."""

    def read(self, devices: Iterable[Device], /) -> dict[str, Reading | None]:
        """Return what each GPU with memory of its own reports."""
        gpus = [device for device in devices if device.has_own_memory]
        return nvml.read(gpus) if gpus else {}


def open_inventory(settings: Settings) -> Inventory:
    """Return the inventory that the settings name.

    Raises:
        NoUsableGpu: the file of simulated devices cannot be used.
    """
    path = settings.simulated_devices
    return SimulatedDevices(Path(path).expanduser()) if path else InstalledDevices()
