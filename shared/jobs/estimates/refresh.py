"""New predictions for jobs that wait, once an attempt of their kind has ended."""

from dataclasses import dataclass

import sqlalchemy as sa

from shared import tables
from shared.database import Database
from shared.jobs.estimates.estimator import Estimator
from shared.jobs.estimates.history import epochs_of

#: How many new observations are looked at in a round, and how many waiting jobs of one kind.
MAX_OBSERVATIONS, MAX_JOBS = 100, 500


@dataclass
class Refresher:
    """Predicts waiting jobs again; what was observed before it was made is known already."""

    database: Database
    #: The newest observation that is known; None before the first round.
    seen: int | None = None

    def refresh(self) -> int:
        """Predict the waiting jobs of kinds with new observations; return how many there are."""
        rows = tables.observations.c
        estimator = Estimator(self.database)  # reads once in a round what jobs have in common
        with self.database.read() as connection:
            if self.seen is None:
                newest = connection.execute(sa.select(sa.func.max(rows.id))).scalar_one()
                self.seen = newest or 0
                return 0
            query = sa.select(rows.id, rows.kind).where(rows.id > self.seen).order_by(rows.id)
            found = connection.execute(query.limit(MAX_OBSERVATIONS)).all()
            values = [
                value
                for kind in {row.kind for row in found}
                for value in _predict_waiting(connection, estimator, kind)
            ]
        if values:
            _store(self.database, values)
        if found:
            self.seen = found[-1].id
        return len(values)


def _predict_waiting(
    connection: sa.Connection, estimator: Estimator, kind: str
) -> list[dict[str, object]]:
    jobs, checkpoints = tables.jobs.c, tables.checkpoints.c
    # A literal, not a parameter: otherwise the partial index is not used.
    waits = sa.text("jobs.state = 'queued'")
    query = (
        sa.select(jobs.id, jobs.spec, jobs.epoch_limit, checkpoints.epoch)
        .select_from(tables.jobs)
        .outerjoin(tables.checkpoints, checkpoints.id == jobs.resume_from)
        .where(waits, jobs.cost_kind == kind)
    )
    values: list[dict[str, object]] = []
    for row in connection.execute(query.order_by(jobs.id).limit(MAX_JOBS)):
        limit = row.epoch_limit if isinstance(row.epoch_limit, int) else None
        before = epochs_of(row.epoch)
        found = estimator.predict(row.spec, epoch_limit=limit, epochs_before=before).duration
        if found is not None:
            values.append({"job": row.id, "p50": found.p50, "p90": found.p90})
    return values


def _store(database: Database, values: list[dict[str, object]]) -> None:
    jobs = tables.jobs.c
    update = (
        sa.update(tables.jobs)
        .where(jobs.id == sa.bindparam("job"), sa.text("state = 'queued'"))
        .values(seconds_p50=sa.bindparam("p50"), seconds_p90=sa.bindparam("p90"))
    )
    with database.write() as connection:
        connection.execute(update, values)
