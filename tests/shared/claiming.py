"""A claim in the caller's transaction, as a dispatcher makes it in two."""

import sqlalchemy as sa

from shared.jobs import claims
from shared.jobs.attempts import ClaimedJob
from shared.jobs.planning.box import Device, Policy


def claim(
    connection: sa.Connection, *, host: str = "h", device: str = "cpu:0", worker: str = "w"
) -> ClaimedJob | None:
    """Claim the next job for a device that is free."""
    devices = [Device(f"{worker}/{device}", host), *_others(worker, device)]
    for _ in range(claims.MAX_PLANS):
        planned = claims.propose(connection, worker=worker, devices=devices, policy=Policy())
        if planned is None:
            return None
        claimed = claims.take(connection, planned, worker=worker, host=host)
        if claimed is not None:
            return claimed
    return None


def _others(worker: str, device: str) -> list[Device]:
    """Return further free devices, because tests claim without ending what runs."""
    return [Device(f"{worker}/{device}-{number}", worker) for number in range(40)]
