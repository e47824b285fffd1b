"""Uploaded data sets: their rows, their files and the facts that a job needs of them.

The row is the truth. A file is in its place before its row exists, and the facts for jobs are
written before the row becomes ready.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

import sqlalchemy as sa

from shared import dataset_reports, tables
from shared.datasets import DatasetFacts
from shared.jobs.owned_ids import OwnedIds
from shared.jobs.stored_row import Check, StoredRow, check_count, check_not_negative
from shared.states import FINAL

NAME_PATTERN = "[a-z0-9][a-z0-9._-]{0,62}"
#: A name, and the version that a specification may pin.
REFERENCE_PATTERN = f"({NAME_PATTERN})(?:@([1-9][0-9]{{0,8}}))?"
REFERENCE = re.compile(REFERENCE_PATTERN)
HASH = re.compile("sha256:[0-9a-f]{64}")
#: The suffix of the facts, next to the file.
FACTS_SUFFIX = ".facts.json"

State = Literal["checking", "ready", "rejected"]


@dataclass(frozen=True, kw_only=True)
class DatasetRow(StoredRow):
    """A version of an uploaded data set."""

    TABLE: ClassVar[str] = "datasets"
    CHECKS: ClassVar[Mapping[str, Check]] = {
        "version": check_count,
        "bytes": check_not_negative,
        "attempts": check_count,
    }

    id: str
    owner: str
    name: str
    version: int
    bytes: int
    #: Whether files that cannot be read are left out instead of rejecting the upload.
    skip_bad: bool
    #: Of a table: the column to predict, as the upload named it; None for the last column.
    target: str | None
    #: The directory of the box that was registered; None for an upload.
    path: str | None
    state: State
    #: Checks that were started.
    attempts: int
    content_hash: str | None
    #: What the check found; None until it has ended.
    report: dict[str, Any] | None
    created_at: datetime

    @property
    def reference(self) -> str:
        """The name with the version, as a filled specification and the file have it."""
        return f"{self.name}@{self.version}"

    def facts(self) -> DatasetFacts:
        """Return the facts of a version; without samples and classes unless it is ready."""
        facts = DatasetFacts(
            name=self.reference,
            title=self.name,
            summary=f"{self.bytes:,} bytes, uploaded.",
            classes=(),
            train=0,
            test=0,
            image_size=1,
            channels=0,
            licence="its owner's",
            source=f"uploaded by {self.owner}",
            ways=("uploaded",),
            content_hash=self.content_hash or "",
        )
        if self.state != "ready" or self.report is None:
            return facts
        return dataset_reports.complete(facts, self.report)

    @classmethod
    def faults(cls, values: Mapping[Any, Any]) -> dict[str, str]:
        """Return what is wrong with each column that cannot be read."""
        found = super().faults(values)
        if not found:
            why = dataset_reports.problem(values["state"], values["report"])
            found |= {} if why is None else {"report": why}
            if values["state"] == "ready" and not HASH.fullmatch(values["content_hash"] or ""):
                found.setdefault("content_hash", "is no hash")
        return found


def directory(home: Path) -> Path:
    """Return the directory of the uploaded files."""
    return home / "data" / "uploads"


def file(home: Path, reference: str) -> Path:
    """Return the file of a version."""
    return directory(home) / reference


def source(home: Path, row: DatasetRow) -> Path:
    """Return what a version is read from: its file, or the directory that was registered."""
    return file(home, row.reference) if row.path is None else Path(row.path)


def facts_file(home: Path, reference: str) -> Path:
    """Return the file of the facts that jobs read."""
    return directory(home) / f"{reference}{FACTS_SUFFIX}"


def files(home: Path, row: DatasetRow) -> list[Path]:
    """Return all files of a version, also the decoded images in the cache."""
    own = [file(home, row.reference), facts_file(home, row.reference)]
    decoded = (home / "cache").glob(f"{row.reference}-*")
    return own + sorted(path for path in decoded if path.suffix != ".lock")


def add(connection: sa.Connection, row: DatasetRow) -> None:
    """Insert a version.

    Raises:
        sqlalchemy.exc.IntegrityError: another upload of the name took the version.
    """
    connection.execute(sa.insert(tables.datasets), asdict(row))


def next_version(connection: sa.Connection, name: str) -> int:
    """Return the version that the next upload of a name has."""
    newest = sa.select(sa.func.max(tables.datasets.c.version)).where(_named(name))
    return (connection.execute(newest).scalar() or 0) + 1


def owner_of(connection: sa.Connection, name: str) -> str | None:
    """Return who uploaded the versions of a name; None if there are none."""
    rows = tables.datasets.c
    query = sa.select(rows.owner).where(_named(name)).order_by(rows.version).limit(1)
    return connection.execute(query).scalar()


def versions(
    connection: sa.Connection,
    name: str,
    *,
    only_owner: str | None,
    limit: int | None = None,
    before: int | None = None,
) -> list[DatasetRow]:
    """Return the readable versions of a name, the newest first.

    Args:
        connection: for reading.
        name: of the data set.
        only_owner: the only person whose data sets the caller may read; None for all.
        limit: maximum number of versions.
        before: only versions before this.
    """
    rows = tables.datasets.c
    query = sa.select(tables.datasets).where(_named(name), _is_of(only_owner))
    query = query.order_by(rows.version.desc())
    if before is not None:
        query = query.where(rows.version < before)
    if limit is None:
        return DatasetRow.read_all(connection.execute(query).mappings())
    return _read(connection, query, limit)


def find(connection: sa.Connection, reference: str, *, only_owner: str | None) -> list[DatasetRow]:
    """Return the versions that `name` or `name@version` means, as `versions` does."""
    match = REFERENCE.fullmatch(reference)
    if match is None:
        return []
    name, version = match.groups()
    found = versions(connection, name, only_owner=only_owner)
    return found if version is None else [row for row in found if row.version == int(version)]


def newest(
    connection: sa.Connection, *, only_owner: str | None, limit: int, after: str | None
) -> list[DatasetRow]:
    """Return the newest version of each name after `after`, by name."""
    rows, latest = tables.datasets, tables.datasets.alias("latest")
    is_newest = (
        rows.c.version
        == (
            sa.select(sa.func.max(latest.c.version)).where(latest.c.name == rows.c.name)
        ).scalar_subquery()
    )
    query = sa.select(rows).where(is_newest, _is_of(only_owner)).order_by(rows.c.name)
    if after is not None:
        query = query.where(rows.c.name > after)
    return _read(connection, query, limit)


def _read(connection: sa.Connection, query: sa.Select[Any], limit: int) -> list[DatasetRow]:
    """Return the first readable rows; others would make a page too short."""
    found, offset = list[DatasetRow](), 0
    while len(found) < limit:
        rows = connection.execute(query.limit(limit).offset(offset)).mappings().all()
        found += DatasetRow.read_all(rows)
        offset += limit
        if len(rows) < limit:
            break
    return found[:limit]


def position(
    connection: sa.Connection, dataset_id: str, *, only_owner: str | None
) -> tuple[str, int] | None:
    """Return the name and the version of an id, for a cursor; None if there is none."""
    rows = tables.datasets.c
    query = sa.select(rows.name, rows.version).where(rows.id == dataset_id, _is_of(only_owner))
    row = connection.execute(query).first()
    return None if row is None else (row.name, row.version)


def get(connection: sa.Connection, dataset_id: str) -> DatasetRow | None:
    """Return a version by its id."""
    query = sa.select(tables.datasets).where(tables.datasets.c.id == dataset_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else DatasetRow.read(row)


def delete(connection: sa.Connection, rows: Sequence[DatasetRow]) -> None:
    """Delete versions."""
    ids = [row.id for row in rows]
    connection.execute(sa.delete(tables.datasets).where(tables.datasets.c.id.in_(ids)))


def jobs_in_need(connection: sa.Connection, rows: Sequence[DatasetRow]) -> OwnedIds:
    """Return the ids and owners of the jobs that have not ended and train on these versions."""
    jobs = tables.jobs.c
    query = sa.select(jobs.id, jobs.owner).where(
        jobs.dataset.in_([row.reference for row in rows]), jobs.state.not_in(sorted(FINAL))
    )
    return OwnedIds((row.id, row.owner) for row in connection.execute(query.order_by(jobs.id)))


def unchecked(connection: sa.Connection) -> list[str]:
    """Return the ids of the versions that have not been checked, the oldest first."""
    rows = tables.datasets.c
    query = sa.select(tables.datasets).where(rows.state == "checking").order_by(rows.id)
    # A row that cannot be read must not stop those after it.
    return [row.id for row in DatasetRow.read_all(connection.execute(query).mappings())]


def begin_check(connection: sa.Connection, dataset_id: str) -> DatasetRow | None:
    """Count an attempt to check a version and return it; None if it needs no check."""
    if not _update(connection, dataset_id, attempts=tables.datasets.c.attempts + 1):
        return None
    return get(connection, dataset_id)


def end_check(
    connection: sa.Connection,
    dataset_id: str,
    state: State,
    report: dict[str, Any],
    content_hash: str | None = None,
) -> bool:
    """Record the result of a check; return False if the version was deleted meanwhile."""
    return _update(connection, dataset_id, state=state, report=report, content_hash=content_hash)


def _update(connection: sa.Connection, dataset_id: str, **values: Any) -> bool:
    rows = tables.datasets.c
    condition = (rows.id == dataset_id) & (rows.state == "checking")
    return (
        connection.execute(sa.update(tables.datasets).where(condition).values(values)).rowcount == 1
    )


def _is_of(owner: str | None) -> sa.ColumnElement[bool]:
    return sa.true() if owner is None else tables.datasets.c.owner == owner


def _named(name: str) -> sa.ColumnElement[bool]:
    return tables.datasets.c.name == name
