"""The workers that are there now."""

from datetime import timedelta

from api.services.container import Services
from shared.clock import now
from shared.jobs import liveness
from shared.jobs.rows import WorkerRow

#: Workers report twice a second. After so long without a report they count as gone.
MAX_SILENCE = timedelta(seconds=20)


def present_workers(services: Services) -> list[WorkerRow]:
    """Return the workers that have reported recently."""
    with services.database.read() as connection:
        workers = liveness.list_workers(connection)
    # A clock that was set back leaves times in the future, of workers that may be gone.
    return [worker for worker in workers if abs(now() - worker.seen_at) < MAX_SILENCE]
