"""The file of simulated devices of a box."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

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
