"""The workers of a box run the same code, on whatever host."""

from datetime import timedelta

from shared.clock import now
from shared.database import Database
from shared.jobs.liveness import list_workers
from shared.jobs.read_box import SEEN_SECONDS
from worker.dispatch.code_version import code_version


class OtherVersion(Exception):
    """A worker of this box runs other code."""


def check_version(database: Database, worker: str) -> None:
    """Check that no other worker of the box that is present runs other code.

    A job would otherwise continue on another host with other results, or with a state that the
    code there cannot read.

    Args:
        database: of the box.
        worker: the id of this worker; its predecessor may have run other code.

    Raises:
        OtherVersion: the message names both versions and what to do.
    """
    own = code_version()
    with database.read() as connection:
        workers = list_workers(connection)
    for other in workers:
        is_present = now() - other.seen_at <= timedelta(seconds=SEEN_SECONDS)
        if other.id != worker and is_present and other.version not in (None, own):
            raise OtherVersion(
                f"This worker has the version {own}, and the worker {other.id!r} on the host "
                f"{other.host} has {other.version}; all workers of a box must have the same. "
                "Install the same version on both hosts, or stop the other worker first."
            )
