"""Uploaded data sets: their rows, their files and the facts that a job needs of them.

The row is the truth. A file is in its place before its row exists, and the facts for jobs are
written before the row becomes ready.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

import sqlalchemy as sa

from shared import tables
from shared.datasets import DatasetFacts
from shared.jobs.stored_row import Check, StoredRow, check_count, check_not_negative
from shared.states import FINAL

NAME_PATTERN = "[a-z0-9][a-z0-9._-]{0,62}"
#: A name, and the version that a specification may pin.
REFERENCE_PATTERN = f"({NAME_PATTERN})(?:@([1-9][0-9]{{0,8}}))?"
REFERENCE = re.compile(REFERENCE_PATTERN)
#: The default image size is that of the originals, within these bounds.
MIN_IMAGE_SIZE, MAX_IMAGE_SIZE = 8, 224
#: What the samples of a kind are called.
SAMPLES = {"images": "images", "table": "rows"}
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
        """Return the facts of a version that is ready."""
        assert self.report is not None
        report = self.report
        facts = DatasetFacts(
            name=self.reference,
            title=self.name,
            kind=report["kind"],
            summary=f"{report['images']:,} {SAMPLES[report['kind']]}, uploaded.",
            classes=tuple(c["name"] for c in report["classes"]),
            train=report["images"],
            test=0,
            image_size=1,
            channels=0,
            licence="its owner's",
            source=f"uploaded by {self.owner}",
            ways=("uploaded",),
            content_hash=self.content_hash or "",
        )
        return (_of_table if facts.kind == "table" else _of_images)(facts, report)


def _of_images(facts: DatasetFacts, report: Mapping[str, Any]) -> DatasetFacts:
    classes = report["classes"]
    own = {split: sum(c[split] or 0 for c in classes) for split in ("validation", "test")}
    shorter = min(report["image_sizes"]["median"])
    return replace(
        facts,
        train=facts.train - own["validation"] - own["test"],
        validation=own["validation"],
        test=own["test"],
        image_size=max(MIN_IMAGE_SIZE, min(MAX_IMAGE_SIZE, shorter)),
        channels=report["channels"],
    )


def _of_table(facts: DatasetFacts, report: Mapping[str, Any]) -> DatasetFacts:
    target, is_number = report["target"], report["task"] == "regression"
    return replace(facts, target=target, number_targets=(target,) if is_number else ())


def directory(home: Path) -> Path:
    """Return the directory of the uploaded files."""
    return home / "data" / "uploads"


def file(home: Path, reference: str) -> Path:
    """Return the file of a version."""
    return directory(home) / reference


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


def versions(connection: sa.Connection, name: str) -> list[DatasetRow]:
    """Return the readable versions of a name, the newest first."""
    query = sa.select(tables.datasets).where(_named(name))
    newest_first = query.order_by(tables.datasets.c.version.desc())
    return DatasetRow.read_all(connection.execute(newest_first).mappings())


def find(connection: sa.Connection, reference: str) -> list[DatasetRow]:
    """Return the versions that `name` or `name@version` means, the newest first."""
    match = REFERENCE.fullmatch(reference)
    if match is None:
        return []
    name, version = match.groups()
    found = versions(connection, name)
    return found if version is None else [row for row in found if row.version == int(version)]


def newest(connection: sa.Connection, *, limit: int, after: str | None) -> list[DatasetRow]:
    """Return the newest version of each name after `after`, by name."""
    rows, latest = tables.datasets, tables.datasets.alias("latest")
    is_newest = (
        rows.c.version
        == (
            sa.select(sa.func.max(latest.c.version)).where(latest.c.name == rows.c.name)
        ).scalar_subquery()
    )
    query = sa.select(rows).where(is_newest).order_by(rows.c.name).limit(limit)
    if after is not None:
        query = query.where(rows.c.name > after)
    return DatasetRow.read_all(connection.execute(query).mappings())


def get(connection: sa.Connection, dataset_id: str) -> DatasetRow | None:
    """Return a version by its id."""
    query = sa.select(tables.datasets).where(tables.datasets.c.id == dataset_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else DatasetRow.read(row)


def delete(connection: sa.Connection, rows: Sequence[DatasetRow]) -> None:
    """Delete versions."""
    ids = [row.id for row in rows]
    connection.execute(sa.delete(tables.datasets).where(tables.datasets.c.id.in_(ids)))


def jobs_in_need(connection: sa.Connection, rows: Sequence[DatasetRow]) -> list[str]:
    """Return the ids of the jobs that have not ended and train on these versions."""
    jobs = tables.jobs.c
    query = sa.select(jobs.id).where(
        jobs.dataset.in_([row.reference for row in rows]), jobs.state.not_in(sorted(FINAL))
    )
    return list(connection.execute(query.order_by(jobs.id)).scalars())


def unchecked(connection: sa.Connection) -> list[str]:
    """Return the ids of the versions that have not been checked, the oldest first."""
    rows = tables.datasets.c
    query = sa.select(rows.id).where(rows.state == "checking").order_by(rows.id)
    return list(connection.execute(query).scalars())


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


def _named(name: str) -> sa.ColumnElement[bool]:
    return tables.datasets.c.name == name
