"""How long jobs have run."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from shared import tables
from shared.jobs.rows import AttemptRow


def run_seconds(
    connection: sa.Connection, job_ids: Collection[str], *, now: datetime
) -> dict[str, float]:
    """Return the seconds that jobs have run, in all their attempts; without waiting and pauses.

    A job without an attempt is left out.
    """
    query = sa.select(tables.attempts).where(tables.attempts.c.job_id.in_(job_ids))
    found = defaultdict[str, float](float)
    for attempt in AttemptRow.read_all(connection.execute(query).mappings()):
        seconds = ((attempt.ended_at or now) - attempt.started_at).total_seconds()
        found[attempt.job_id] += max(0.0, seconds)
    return dict(found)
