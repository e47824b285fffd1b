"""Files that a runner left which has ended."""

import shutil

from shared.database import Database
from shared.jobs import queries
from shared.jobs.attempts import Lease
from shared.settings import Settings
from shared.states import FINAL
from shared.storage import Storage
from worker.assignment import ranks_directory
from worker.locks import job_lock
from worker.runner.orphans import delete_orphans


def delete_leftovers(
    settings: Settings, database: Database, lease: Lease, state: str | None
) -> None:
    """Delete what a runner left that nobody needs, after its end is recorded.

    Args:
        settings: of the worker.
        database: of the box.
        lease: of the attempt. A later attempt may run already: of a runner that was cut off.
        state: of the job.

    Raises:
        Unavailable: the database is away; call again.
    """
    storage = Storage(settings.storage)
    with database.read() as connection:
        used = queries.list_directories(connection, lease.job_id)
    delete_orphans(storage, lease.job_id, [lease.attempt], used=used)
    if state not in FINAL:
        return
    # Nobody takes the lock any more: a final state is never left.
    job_lock(settings, lease.job_id).path.unlink(missing_ok=True)
    storage.delete_partial_results(lease.job_id)
    shutil.rmtree(ranks_directory(settings.home, lease.job_id), ignore_errors=True)
