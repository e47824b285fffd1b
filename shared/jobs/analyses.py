"""Analyses: jobs of another kind, distinguished from trainings by the prefix of their id.

An analysis has a row among the jobs, so that it is claimed, fenced, cancelled, and taken up again
like a training, and a row of its own that says what is analysed. Its artifacts belong to its row
among the jobs.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.errors import NotFound
from shared.ids import is_id, new_id
from shared.jobs.events import NewEvent
from shared.jobs.rows import CheckpointRow, JobRow
from shared.jobs.stored_row import Check, StoredRow, check_not_negative
from shared.jobs.submission import LimitCheck, sha256_of_json

PREFIX = "ana"
#: The states of an analysis that has, or will have, a result.
USABLE = ("queued", "running", "paused", "succeeded")


@dataclass(frozen=True, kw_only=True)
class AnalysisRow(StoredRow):
    """What an analysis is about."""

    TABLE: ClassVar[str] = "analyses"
    CHECKS: ClassVar[Mapping[str, Check]] = {"memory_mib": check_not_negative}

    id: str
    subject_id: str
    kind: str
    checkpoint_id: str
    checkpoint_name: str
    parameters: dict[str, Any]
    memory_mib: float
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class NewAnalysis:
    """A request that has been checked."""

    owner: str
    subject: JobRow
    kind: str
    checkpoint: CheckpointRow
    checkpoint_name: str
    #: Every parameter, with defaults filled in.
    parameters: dict[str, Any]
    #: Digests of further weights that the parameters name.
    further_weights: tuple[str, ...] = ()
    #: Predicted, and planned on a device: 0 for a whole device.
    memory_mib: float
    planned_mib: float = 0.0
    #: In place of the job's limit; None for the job's.
    max_runtime_seconds: int | None = None

    @property
    def spec(self) -> dict[str, Any]:
        """The specification of the analysed job, with the limits of the analysis.

        The memory that the owner chose for the job is no limit of its analyses.
        """
        resources = {**(self.subject.spec.get("resources") or {}), "gpu_memory_mib": None}
        if self.max_runtime_seconds is not None:
            resources["max_runtime_seconds"] = self.max_runtime_seconds
        return {**self.subject.spec, "resources": resources}

    @property
    def fingerprint(self) -> str:
        """The digest of what the result depends on."""
        weights = [self.checkpoint.sha256, self.checkpoint.stage, *self.further_weights]
        return sha256_of_json([self.subject.id, weights, self.kind, self.parameters])


def is_analysis(job_id: str) -> bool:
    """Return whether the id of a job is that of an analysis."""
    return is_id(PREFIX, job_id)


def is_training() -> sa.ColumnElement[bool]:
    """Return the condition for trainings of their own, without checks of patches."""
    return tables.jobs.c.kind.not_in(("verification", "analysis"))  # also where it is damaged


def submit(
    connection: sa.Connection, new: NewAnalysis, *, check: LimitCheck | None = None
) -> tuple[str, bool]:
    """Record an analysis; return its id, and False for an earlier one of the same.

    Args:
        connection: in the transaction of the submission.
        new: the analysis.
        check: called right before a new analysis is recorded; it may raise.

    Raises:
        NotFound: the job was deleted meanwhile.
    """
    jobs, subject = tables.jobs.c, new.subject
    # The second of two concurrent requests finds the analysis of the first.
    lock = sa.select(jobs.id).where(jobs.id == subject.id).with_for_update()
    if connection.execute(lock).first() is None:
        raise NotFound(f"There is no job {subject.id}.")
    existing = _find_usable(connection, new.fingerprint)
    if existing is not None:
        return existing, False
    if check is not None:
        check(connection)
    analysis_id, at = new_id(PREFIX), now()
    connection.execute(
        sa.insert(tables.jobs),
        {
            "id": analysis_id,
            "kind": "analysis",
            "owner": new.owner,
            "name": "",
            "state": "queued",
            "priority": subject.priority,
            "gpus": 1,
            "memory_mib": new.planned_mib,
            "tags": {},
            "notes": "",
            "spec": new.spec,
            "spec_sha256": sha256_of_json(new.spec),
            "warnings": [],
            "dataset": subject.dataset,
            "created_at": at,
            "attempt": 0,
            "deaths": 0,
            "revision": 1,
            "last_event": 1,
            "metrics": {},
            "best": {},
        },
    )
    first = NewEvent("state", {"state": "queued", "reason": "submitted"})
    connection.execute(sa.insert(tables.events), first.values(analysis_id, 1, at))
    row = AnalysisRow(
        id=analysis_id,
        subject_id=subject.id,
        kind=new.kind,
        checkpoint_id=new.checkpoint.id,
        checkpoint_name=new.checkpoint_name,
        parameters=new.parameters,
        memory_mib=new.memory_mib,
        fingerprint=new.fingerprint,
    )
    connection.execute(sa.insert(tables.analyses), vars(row))
    return analysis_id, True


def _find_usable(connection: sa.Connection, fingerprint: str) -> str | None:
    """Return the newest analysis of a request that was not cancelled and did not fail."""
    columns, jobs = tables.analyses.c, tables.jobs.c
    query = (
        sa.select(columns.id)
        .select_from(tables.analyses.join(tables.jobs, jobs.id == columns.id))
        .where(
            columns.fingerprint == fingerprint,
            jobs.state.in_(USABLE),
            jobs.cancel_requested_at.is_(None),
        )
        .order_by(columns.id.desc())
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()


def get_analysis(connection: sa.Connection, analysis_id: str) -> AnalysisRow | None:
    """Return an analysis, or None.

    Raises:
        RowUnreadable: its row cannot be read.
    """
    query = sa.select(tables.analyses).where(tables.analyses.c.id == analysis_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else AnalysisRow.read(row)


def list_ids(
    connection: sa.Connection,
    *,
    limit: int,
    after: str | None = None,
    subject_id: str | None = None,
    kind: str | None = None,
    state: str | None = None,
    owner: str | None = None,
    only_reader: str | None = None,
) -> list[str]:
    """Return the ids of at most `limit` analyses that match every filter, newest first.

    Args:
        connection: for reading.
        limit: of the list.
        after: only older analyses than this.
        subject_id: the analysed job.
        kind: of the analysis.
        state: of its row among the jobs.
        owner: who requested it.
        only_reader: the only person whose analyses, and analyses of whose jobs, may be read.
    """
    columns, own, subject = tables.analyses.c, tables.jobs.c, tables.jobs.alias("subject")
    joined = tables.analyses.join(tables.jobs, own.id == columns.id).join(
        subject, subject.c.id == columns.subject_id
    )
    query = sa.select(columns.id).select_from(joined).order_by(columns.id.desc()).limit(limit)
    filters = ((columns.subject_id, subject_id), (columns.kind, kind), (own.state, state))
    for column, value in (*filters, (own.owner, owner)):
        if value is not None:
            query = query.where(column == value)
    if after is not None:
        query = query.where(columns.id < after)
    if only_reader is not None:
        query = query.where(sa.or_(own.owner == only_reader, subject.c.owner == only_reader))
    return list(connection.execute(query).scalars())


def get_analyses(connection: sa.Connection, ids: Collection[str]) -> dict[str, AnalysisRow]:
    """Return the analyses with these ids whose rows can be read, by id."""
    query = sa.select(tables.analyses).where(tables.analyses.c.id.in_(ids))
    return {row.id: row for row in AnalysisRow.read_all(connection.execute(query).mappings())}
