"""The file of simulated devices of a box, and which job runs on which of them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.e2e.conftest import wait_until
from trainshed import Client

TOTAL_MIB, RESERVED_MIB = 4_000, 400
NAMES = ("sim:0", "sim:1", "sim:2", "sim:3")


def write_devices(
    path: Path, names: Sequence[str], foreign_mib: Mapping[str, int] | None = None
) -> None:
    """Write the devices that exist, at once, so that the worker never reads half of the file.

    Args:
        path: of the file.
        names: of the devices.
        foreign_mib: by device, the memory of a process there that is no job.
    """
    foreign = {
        name: [{"pid": 4242, "memory_mib": mib}] for name, mib in (foreign_mib or {}).items()
    }
    devices = [
        {
            "name": name,
            "memory_mib": TOTAL_MIB,
            "utilization_fraction": 0.1,
            "foreign": foreign.get(name, []),
        }
        for name in names
    ]
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"devices": devices}))
    new.replace(path)


def device_of(client: Client, job_id: str) -> str | None:
    """Return the device on which a job runs; None while it does not."""
    for device in client.devices():
        if any(job["job"] == job_id for job in device["jobs"]):
            return device["id"].partition("/")[2]
    return None


def wait_for_device(client: Client, job_id: str) -> str:
    """Wait until a job runs and return its device."""
    wait_until(lambda: device_of(client, job_id), f"the start of {job_id}")
    name = device_of(client, job_id)
    assert name is not None
    return name
