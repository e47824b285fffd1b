"""People, their jobs, and claims of these."""

import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.database import Database
from shared.jobs import claims
from shared.jobs.attempts import ClaimedJob, Lease
from shared.jobs.planning.box import Device, Policy
from shared.jobs.planning.plan import Entry
from shared.jobs.submission import Submission, submit
from tests.shared.specs import filled_in


def add_users(database: Database, **usage: float) -> None:
    """Add members who have used this much device time, in seconds."""
    rows = [
        {"name": name, "role": "member", "usage": value, "limits": {}, "created_at": now()}
        for name, value in usage.items()
    ]
    with database.write() as connection:
        connection.execute(sa.insert(tables.users), rows)


def submit_job(database: Database, owner: str = "admin", **changes: object) -> str:
    """Queue a job and return its id."""
    with database.write() as connection:
        return submit(connection, Submission(owner=owner, spec=filled_in(**changes)))[0]


def propose(database: Database, *names: str) -> Entry | None:
    """Return what a worker with these devices would claim next."""
    devices = [Device(f"w/{name}", "h") for name in names]
    with database.read() as connection:
        return claims.propose(connection, worker="w", devices=devices, policy=Policy())


def claim_lease(database: Database) -> Lease | None:
    """Claim the next job for a device that is free, and return the lease."""
    with database.write() as connection:
        claimed = claim(connection)
    return None if claimed is None else claimed.lease


def claim(
    connection: sa.Connection, *, host: str = "h", device: str = "cpu:0", worker: str = "w"
) -> ClaimedJob | None:
    """Claim the next job for a free device, in one transaction where a dispatcher uses two."""
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
