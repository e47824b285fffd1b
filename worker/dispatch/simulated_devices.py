"""Simulated devices with memory, from a file, for a machine without GPUs.

Their jobs train on the CPU. The file is read again while the worker runs, so that a test can add
processes that are no jobs, or take a device away.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from worker.dispatch.device import Device, Process, Reading
from worker.dispatch.nvml import NoUsableGpu
from worker.dispatch.simulated_faults import describe_faults

log = structlog.get_logger()

VARIABLE = "TRAINSHED_SIMULATED_DEVICES"
MAX_MIB, MAX_DEVICES = 10_000_000, 64


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Process(_Part):
    pid: Annotated[int, Field(ge=1)]
    memory_mib: Annotated[float, Field(ge=0, le=MAX_MIB)]


class _Device(_Part):
    name: Annotated[str, Field(pattern=r"^[a-z]{1,16}:\d{1,3}$")]
    model: Annotated[str, Field(max_length=100)] = "Simulated GPU"
    memory_mib: Annotated[int, Field(ge=1, le=MAX_MIB)]
    foreign: Annotated[list[_Process], Field(max_length=100)] = []
    utilization_fraction: Annotated[float, Field(ge=0, le=1)] | None = None


class _File(_Part):
    devices: Annotated[list[_Device], Field(min_length=1, max_length=MAX_DEVICES)]

    @field_validator("devices", mode="after")
    @classmethod
    def _check_names(cls, value: list[_Device]) -> list[_Device]:
        names = [device.name for device in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} is there twice; each device needs its own name")
        return value


class InvalidFile(NoUsableGpu):
    """The file of the simulated devices cannot be used."""


class SimulatedDevices:
    """The devices of a file.

    Args:
        path: of the file.

    Raises:
        InvalidFile: it cannot be read, or what it says is not allowed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._devices = _parse(path)
        #: The problem that was logged last, so that it is logged once.
        self._problem: str | None = None

    def list_devices(self) -> list[Device]:
        """Return the devices."""
        return [
            Device(device.name, device.model, "", device.memory_mib, is_simulated=True)
            for device in self._devices
        ]

    def read(self, devices: Iterable[Device]) -> dict[str, Reading | None]:
        """Return what each device reports, by its name; None for a device that is gone.

        While the file is wrong, the devices are as it said before.
        """
        self._update()
        now = {device.name: device for device in self._devices}
        return {
            device.name: _reading(now[device.name]) if device.name in now else None
            for device in devices
        }

    def _update(self) -> None:
        try:
            self._devices, problem = _parse(self._path), None
        except InvalidFile as error:
            problem = str(error)
        if problem is not None and problem != self._problem:
            log.error("simulated devices stay as they were", problem=problem)
        self._problem = problem


def _reading(device: _Device) -> Reading:
    """Return the reading of a device on which jobs take no memory that could be measured."""
    foreign = tuple(Process(process.pid, process.memory_mib) for process in device.foreign)
    taken_mib = sum(process.memory_mib for process in foreign)
    return Reading(max(0.0, device.memory_mib - taken_mib), foreign, device.utilization_fraction)


def _parse(path: Path) -> list[_Device]:
    try:
        return _File.model_validate(json.loads(path.read_bytes())).devices
    except OSError as error:
        problem = f"which cannot be read: {error.strerror or error}. Name a file"
    except ValidationError as error:
        problem = f"in which {describe_faults(error.errors())}. Correct the file"
    except UnicodeDecodeError:
        problem = "which is no JSON: it is not encoded in UTF-8. Correct the file"
    except RecursionError:
        problem = "which is nested too deeply. Correct the file"
    except ValueError as error:
        problem = f"which is no JSON: {error}. Correct the file"
    raise InvalidFile(
        f"{VARIABLE} is {path}, {problem}; for example "
        '{"devices": [{"name": "sim:0", "memory_mib": 24000}]}.'
    )
