"""Rows of the database as frozen objects, checked while they are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from shared.jobs.stored_row import (
    Check,
    StoredRow,
    check_count,
    check_not_negative,
    check_objects,
    check_sha256,
    check_tags,
    check_texts,
)
from shared.jobs.stored_spec import spec_fault
from shared.states import PRIORITY_NAMES, Kind, State

CheckpointKind = Literal["last", "previous", "initial", "best", "series"]
Split = Literal["train", "validation", "test"]


def _check_devices(devices: list[Any]) -> str | None:
    are_named = all(
        isinstance(device, dict) and isinstance(device.get("name"), str) for device in devices
    )
    return None if are_named else "has a device without a name"


def _check_findings(counts: dict[str, Any]) -> str | None:
    are_counts = all(type(counts.get(name)) is int for name in ("error", "warning", "info"))
    return None if are_counts else "lacks a count"


def _check_priority(value: int) -> str | None:
    return None if value in PRIORITY_NAMES else "is unknown"


@dataclass(frozen=True, kw_only=True)
class JobRow(StoredRow):
    """A job, with the newest heartbeat of its attempt."""

    TABLE: ClassVar[str] = "jobs"
    CHECKS: ClassVar[Mapping[str, Check]] = {
        "priority": _check_priority,
        "gpus": check_count,
        "tags": check_tags,
        "spec": spec_fault,
        "warnings": check_objects,
        "findings": _check_findings,
        "memory_mib": check_not_negative,
        "attempt": check_count,
        "deaths": check_count,
        "revision": check_count,
        "last_event": check_count,
        "devices": check_texts,
    }

    id: str
    kind: Kind
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
    #: The number of open findings by severity.
    findings: dict[str, Any]
    #: The most important finding as a sentence; None where all is well.
    headline: str | None
    dataset: str
    sweep_id: str | None
    retry_of: str | None
    forked_from: str | None
    weights_job: str | None
    resume_from: str | None
    epoch_limit: int | None
    awaits_verification: bool
    eligible_at: datetime | None
    #: As planned for.
    memory_mib: float
    #: The model of the GPU on which it continues bit for bit, and whether it may leave it.
    placement: str | None
    allow_inexact: bool
    seconds_p50: float | None
    seconds_p90: float | None
    cost_kind: str | None
    #: As predicted at the submission.
    estimate: dict[str, Any] | None
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
    devices: list[str] | None
    #: Only while the job is running.
    heartbeat_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class AttemptRow(StoredRow):
    """One execution of a job."""

    TABLE: ClassVar[str] = "attempts"
    KEY: ClassVar[tuple[str, ...]] = ("job_id", "number")
    CHECKS: ClassVar[Mapping[str, Check]] = {
        "number": check_count,
        "first_step": check_not_negative,
        "devices": check_texts,
    }

    job_id: str
    number: int
    worker: str
    host: str
    device: str
    devices: list[str] | None
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    exit_code: int | None
    first_step: int
    fingerprint: dict[str, Any] | None
    charged_until: datetime | None
    device_seconds: float
    charged_seconds: float
    share: float
    switch_seconds: float | None
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
    CHECKS: ClassVar[Mapping[str, Check]] = {
        "step": check_not_negative,
        "epoch": check_not_negative,
    }

    id: int
    job_id: str
    name: str
    split: Split | None
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
    CHECKS: ClassVar[Mapping[str, Check]] = MetricRow.CHECKS

    step: int
    epoch: int
    value: float
    at: datetime


@dataclass(frozen=True, kw_only=True)
class CheckpointRow(StoredRow):
    """A checkpoint of a job. `previous` is the fallback of `last`, without a public name."""

    TABLE: ClassVar[str] = "checkpoints"
    CHECKS: ClassVar[Mapping[str, Check]] = {
        "epoch": check_not_negative,
        "step": check_not_negative,
        "bytes": check_not_negative,
        "sha256": check_sha256,
    }

    id: str
    job_id: str
    attempt: int
    kind: CheckpointKind
    monitor: str | None
    mode: Literal["min", "max"] | None
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
    CHECKS: ClassVar[Mapping[str, Check]] = {"bytes": check_not_negative, "sha256": check_sha256}

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
    CHECKS: ClassVar[Mapping[str, Check]] = {"devices": _check_devices}

    id: str
    host: str
    pid: int
    started_at: datetime
    seen_at: datetime
    devices: list[dict[str, Any]]
    version: str | None


@dataclass(frozen=True, kw_only=True)
class UploadRow(StoredRow):
    """An uploaded file of weights."""

    TABLE: ClassVar[str] = "weights"
    CHECKS: ClassVar[Mapping[str, Check]] = {
        "bytes": check_not_negative,
        "sha256": check_sha256,
        "tensors": check_not_negative,
        "parameters": check_not_negative,
    }

    id: str
    owner: str
    name: str
    bytes: int
    sha256: str
    tensors: int
    #: Number of elements of all tensors together.
    parameters: int
    created_at: datetime
