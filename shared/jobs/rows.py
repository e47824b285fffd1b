"""Rows of the database as frozen objects, checked while they are read.

A column that holds something else than its type (edited by hand, written by a newer version) is
refused here, by its name, instead of failing somewhere in the code that uses it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from types import UnionType
from typing import Any, ClassVar, Literal, Self, get_args, get_origin, get_type_hints

from shared.errors import RowUnreadable
from shared.states import State

CheckpointKind = Literal["last", "previous", "initial", "best", "series"]


@dataclass(frozen=True, kw_only=True)
class StoredRow:
    """A row of one table. Each field is a column, and its annotation the column's type."""

    TABLE: ClassVar[str]
    #: The columns that identify a row, as the error for an unreadable row names it.
    KEY: ClassVar[tuple[str, ...]] = ("id",)

    @classmethod
    def read(cls, columns: Mapping[Any, Any]) -> Self:
        """Return the row with these columns.

        Raises:
            RowUnreadable: a column is missing or holds something else than its type.
        """
        values = dict(columns)
        types_by_name, choices_by_name = _checks(cls)
        for name, types in types_by_name:
            if name not in values:
                raise cls._unreadable(values, name, "is missing")
            if type(values[name]) not in types:
                raise cls._unreadable(values, name, f"is of type {type(values[name]).__name__}")
        for name, choices in choices_by_name:
            if values[name] not in choices:
                raise cls._unreadable(values, name, f"is {values[name]!r}, which is unknown")
        row = cls.__new__(cls)
        row.__dict__.update(values)  # what the frozen __init__ does, at a tenth of its cost
        return row

    @classmethod
    def read_all(cls, rows: Iterable[Mapping[Any, Any]]) -> list[Self]:
        """Return every row of a result.

        Raises:
            RowUnreadable: a column of a row is missing or holds something else than its type.
        """
        return [cls.read(row) for row in rows]

    @classmethod
    def _unreadable(cls, values: dict[Any, Any], column: str, why: str) -> RowUnreadable:
        row_id = "/".join(str(values.get(part)) for part in cls.KEY)
        return RowUnreadable(table=cls.TABLE, row_id=row_id, column=column, why=why)


Checks = tuple[list[tuple[str, frozenset[type]]], list[tuple[str, frozenset[str]]]]


@cache
def _checks(kind: type[StoredRow]) -> Checks:
    """Return the accepted types of each column, and the accepted values of closed lists."""
    types_by_name: list[tuple[str, frozenset[type]]] = []
    choices_by_name: list[tuple[str, frozenset[str]]] = []
    hints = get_type_hints(kind)
    for field in fields(kind):
        hint = hints[field.name]
        if get_origin(hint) is Literal:
            types_by_name.append((field.name, frozenset({str})))
            choices_by_name.append((field.name, frozenset(get_args(hint))))
        else:
            parts = get_args(hint) if isinstance(hint, UnionType) else (hint,)
            types_by_name.append(
                (field.name, frozenset(get_origin(part) or part for part in parts))
            )
    return types_by_name, choices_by_name


@dataclass(frozen=True, kw_only=True)
class JobRow(StoredRow):
    """A job, with the newest heartbeat of its attempt."""

    TABLE: ClassVar[str] = "jobs"

    id: str
    owner: str
    name: str
    state: State
    phase: str | None
    reason: str | None
    priority: int
    gpus: int
    tags: dict[str, str]
    notes: str
    spec: dict[str, Any]
    spec_sha256: str
    #: What admission found odd in the specification.
    warnings: list[dict[str, Any]]
    dataset: str
    sweep_id: str | None
    retry_of: str | None
    resume_from: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    pause_requested_at: datetime | None
    attempt: int
    deaths: int
    revision: int
    last_event: int
    device: str | None
    mlflow_run_id: str | None
    metrics: dict[str, Any]
    best: dict[str, Any]
    result: dict[str, Any] | None
    failure: dict[str, Any] | None
    #: Of the newest attempt; None before the first attempt.
    beat: int | None
    progress: dict[str, Any] | None
    #: Only while the job is running.
    heartbeat_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class AttemptRow(StoredRow):
    """One execution of a job."""

    TABLE: ClassVar[str] = "attempts"
    KEY: ClassVar[tuple[str, ...]] = ("job_id", "number")

    job_id: str
    number: int
    worker: str
    host: str
    device: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    exit_code: int | None
    first_step: int
    fingerprint: dict[str, Any] | None
    batches: int


@dataclass(frozen=True, kw_only=True)
class EventRow(StoredRow):
    """A numbered event of a job."""

    TABLE: ClassVar[str] = "events"
    KEY: ClassVar[tuple[str, ...]] = ("job_id", "number")

    job_id: str
    number: int
    type: str
    step: int | None
    at: datetime
    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class MetricRow(StoredRow):
    """One value of one metric. `value` may be infinite or not a number."""

    TABLE: ClassVar[str] = "metrics"

    id: int
    job_id: str
    name: str
    split: str | None
    stage: str
    step: int
    epoch: int
    value: float
    at: datetime


@dataclass(frozen=True, kw_only=True)
class MetricPoint(StoredRow):
    """A point of a series: a metric row without what all points of the series share."""

    TABLE: ClassVar[str] = "metrics"
    KEY: ClassVar[tuple[str, ...]] = ("step",)

    step: int
    epoch: int
    value: float
    at: datetime


@dataclass(frozen=True, kw_only=True)
class CheckpointRow(StoredRow):
    """A checkpoint of a job. `previous` is the fallback of `last`, without a public name."""

    TABLE: ClassVar[str] = "checkpoints"

    id: str
    job_id: str
    attempt: int
    kind: CheckpointKind
    monitor: str | None
    mode: str | None
    value: float
    stage: str
    epoch: int
    step: int
    directory: str
    bytes: int
    sha256: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class EvaluationRow(StoredRow):
    """The test results of a checkpoint."""

    TABLE: ClassVar[str] = "evaluations"
    KEY: ClassVar[tuple[str, ...]] = ("checkpoint_id",)

    checkpoint_id: str
    job_id: str
    split: str
    data: dict[str, Any]
    predictions: str


@dataclass(frozen=True, kw_only=True)
class ArtifactRow(StoredRow):
    """A result file of a job, in the storage."""

    TABLE: ClassVar[str] = "artifacts"

    id: str
    job_id: str
    name: str
    path: str
    media_type: str
    bytes: int
    sha256: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class WorkerRow(StoredRow):
    """A worker and the devices that it last reported."""

    TABLE: ClassVar[str] = "workers"

    id: str
    host: str
    pid: int
    started_at: datetime
    seen_at: datetime
    devices: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class UploadRow(StoredRow):
    """An uploaded file of weights."""

    TABLE: ClassVar[str] = "weights"

    id: str
    owner: str
    name: str
    bytes: int
    sha256: str
    tensors: int
    #: Number of elements of all tensors together.
    parameters: int
    created_at: datetime
