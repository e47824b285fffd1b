"""Devices in the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel

from api.http.schemas import Timestamp
from api.queue.schemas import Starts


class DeviceMemory(BaseModel):
    """The memory of a device; null for a slot of the CPU, which memory does not limit.

    `free` is what further jobs may use: jobs count with their limits, and `reserved` stays free. Of
    a device that has gone, `free` and `foreign` are null.
    """

    total: float | None
    jobs: float | None
    foreign: float | None
    reserved: float | None
    free: float | None


class JobMemory(BaseModel):
    """The memory that a job is limited to, 0 if it has none, and uses; null if not measured."""

    cap: float
    used: float | None


class ForeignProcess(BaseModel):
    """A process on the device that is no job."""

    pid: int
    memory_mib: float


class DeviceJob(BaseModel):
    """A job on a device; of a job that may not be read, only owner, memory and times."""

    job: str | None
    owner: str | None
    memory_mib: JobMemory
    since: Timestamp | None
    #: From when on it gives way to waiting jobs; null if it does not.
    yields_after: Timestamp | None
    ends: Starts


class HeldFor(BaseModel):
    """The job for which the device is held, and when it is predicted to start."""

    job: str | None
    at: Timestamp | None


class Device(BaseModel):
    """A GPU, or a slot of the CPU."""

    object: Literal["device"]
    id: str
    host: str
    model: str
    state: Literal["free", "shared", "full", "held", "quarantined", "away"]
    memory_mib: DeviceMemory
    utilization_fraction: float | None
    seen_at: Timestamp
    jobs: list[DeviceJob]
    foreign: list[ForeignProcess]
    held_for: HeldFor | None
