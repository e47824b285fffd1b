"""The memory of a device that further jobs may use."""

from collections.abc import Sequence
from dataclasses import replace

from shared.jobs.planning.box import Device, RunningJob

#: Left free on each device, for what the drivers and libraries of jobs allocate outside of limits.
RESERVE_MIB = 512.0
#: Of the memory of a device, at most this share is reserved, where it has little.
MAX_RESERVED_SHARE = 0.1


def reserve_mib(total_mib: float) -> float:
    """Return the memory of a device that no job gets."""
    return min(RESERVE_MIB, MAX_RESERVED_SHARE * total_mib)


def measured(device: Device, running: Sequence[RunningJob]) -> Device:
    """Return the device with the memory that further jobs may use, and that foreign processes use.

    A running job counts with its whole limit: what it does not use yet is subtracted from the free
    memory, job by job, so that a job above its limit hides no other's.

    Args:
        device: with the free memory that it reports, if it does.
        running: all running jobs.
    """
    if not device.total_mib:
        return device
    jobs = [job for job in running if device.id in job.devices]
    if not device.has_reading:
        free = device.total_mib - sum(job.memory_mib for job in jobs)
        return replace(device, free_mib=free - reserve_mib(device.total_mib))
    used = sum(job.used_mib for job in jobs)
    outstanding = sum(max(0.0, job.memory_mib - job.used_mib) for job in jobs)
    return replace(
        device,
        free_mib=device.free_mib - outstanding - reserve_mib(device.total_mib),
        foreign_mib=max(0.0, device.total_mib - device.free_mib - used),
    )
