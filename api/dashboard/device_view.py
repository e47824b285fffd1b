"""What pages say about the devices of the box."""

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

#: What a person reads for each state of a device.
WORDS = {"full": "busy", "shared": "busy, with room", "held": "kept for a waiting job"}


def rows(devices: Sequence[Json], names: Mapping[str, str]) -> list[Json]:
    """Return the devices of the workers that answer.

    Args:
        devices: of the API.
        names: of the running jobs that the person may read, by their ids.
    """
    present = [device for device in devices if device["state"] != "away"]
    return [
        {
            "id": device["id"],
            "name": device["id"].partition("/")[2] or device["id"],
            "host": device["host"],
            "model": device["model"],
            "state": device["state"],
            "word": WORDS.get(device["state"], device["state"]),
            "used_mib": device["memory_mib"]["jobs"],
            "total_mib": device["memory_mib"]["total"],
            "jobs": [_job(job, names) for job in device["jobs"]],
        }
        for device in present
    ]


def _job(job: Json, names: Mapping[str, str]) -> Json:
    return {
        "id": job["job"],
        "name": names.get(job["job"], job["job"]) if job["job"] else "a job",
        "owner": job["owner"],
    }
