"""The owners of jobs and analyses, which never change, remembered for the checks of requests."""

from collections import OrderedDict
from typing import NamedTuple

import sqlalchemy as sa
from fastapi.concurrency import run_in_threadpool

from shared import tables
from shared.database import Database

#: Jobs that are remembered; the oldest is forgotten first.
MAX_REMEMBERED = 20_000


class Owners(NamedTuple):
    """Whose a job is, and for an analysis whose the analysed job is."""

    owner: str
    subject_owner: str | None

    @property
    def readers(self) -> tuple[str, ...]:
        """The owners whose objects one must be allowed to read, any of them."""
        return (self.owner,) if self.subject_owner is None else (self.owner, self.subject_owner)


class OwnerIndex:
    """Finds the owner of a job; reads the database once for each job."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._known = OrderedDict[str, Owners]()

    async def find(self, job_id: str) -> Owners | None:
        """Return the owners of a job or analysis, or None if there is none."""
        known = self._known.get(job_id)
        return known if known is not None else await run_in_threadpool(self.read, job_id)

    def read(self, job_id: str) -> Owners | None:
        """Return what `find` does, from a thread."""
        known = self._known.get(job_id)
        if known is not None:
            return known
        jobs, analyses = tables.jobs.c, tables.analyses.c
        subject = tables.jobs.alias("subject")
        query = (
            sa.select(jobs.owner, subject.c.owner)
            .select_from(
                tables.jobs.outerjoin(tables.analyses, analyses.id == jobs.id).outerjoin(
                    subject, subject.c.id == analyses.subject_id
                )
            )
            .where(jobs.id == job_id)
        )
        with self.database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        found = self._known[job_id] = Owners(*row)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        return found
