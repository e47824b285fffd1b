"""Jobs in the OpenAPI document."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.http.schemas import Count, Fraction, JsonNumber, Timestamp
from shared.errors import FailureKind
from shared.spec import JobSpec
from shared.states import State


class Progress(BaseModel):
    """The progress of a job, at most a second old."""

    stage: str | None
    epoch: Count
    epochs: Count
    step: Count
    steps: Count
    fraction: Fraction
    images_per_second: float | None
    eta_seconds: float | None
    eta_seconds_p90: float | None = Field(
        default=None, description="9 of 10 jobs are expected to take at most this"
    )


class Failure(BaseModel):
    """Why a job failed, and what to do about it."""

    kind: FailureKind
    message: str
    hint: str


class Attempt(BaseModel):
    """An execution of a job."""

    number: Count
    worker: str
    device: str = Field(description="The first of its devices")
    devices: list[str]
    started_at: Timestamp
    ended_at: Timestamp | None
    outcome: str | None
    exit_code: int | None
    first_step: Count | None
    switch_seconds: float | None = Field(
        description="What its start and its stop took, of an attempt that gave way"
    )


class SpecWarning(BaseModel):
    """A part of a valid specification that is probably a mistake."""

    pointer: str = Field(description="A JSON Pointer (RFC 6901) into the specification")
    detail: str
    suggestion: str | None = Field(description="What to do instead")


class FindingCounts(BaseModel):
    """The number of open findings by severity."""

    error: Count
    warning: Count
    info: Count


class Job(BaseModel):
    """A job: its specification, progress and result. Lists leave out `attempts`."""

    id: str
    object: Literal["job"]
    kind: Literal["training", "verification"] = Field(
        description="A verification checks a patch; it trains as many epochs as that takes"
    )
    name: str
    owner: str
    state: State
    phase: str | None = Field(
        description="Finer than the state: the name of a stage, evaluating, cancelling and others"
    )
    reason: str | None
    priority: Literal["low", "normal", "high"]
    tags: dict[str, str]
    notes: str
    spec: JobSpec = Field(description="With all defaults filled in")
    warnings: list[SpecWarning] = Field(description="As found when the job was submitted")
    findings: FindingCounts
    headline: str | None = Field(
        description="What is wrong, the number, and what to try; null where all is well"
    )
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    queue_position: Count | None = Field(
        description="Null for a job that is not queued, and right after its submission"
    )
    cancel_requested_at: Timestamp | None
    pause_requested_at: Timestamp | None
    progress: Progress | None
    metrics: dict[str, JsonNumber | None] = Field(description="The latest value by name")
    best: dict[str, dict[str, Any]] = Field(description="By monitor")
    result: dict[str, Any] | None
    failure: Failure | None
    ending: str | None = Field(description="How the job ended, as a sentence; null before its end")
    attempt: Count = Field(description="The number of attempts so far")
    retry_of: str | None
    forked_from: str | None
    device: str | None = Field(description="The first device of the newest attempt")
    devices: list[str] = Field(description="All devices of the newest attempt")
    mlflow_run_id: str | None
    links: dict[str, str]
    unreadable: None = Field(description="Null: the whole record of the job can be read")
    attempts: list[Attempt] | None = None


class UnreadableField(BaseModel):
    """A field of a job that cannot be read, or that this version does not know."""

    field: str = Field(description="The name of the field, or of an internal column")
    detail: str


class UnreadableJob(BaseModel):
    """A job whose stored record was damaged or written by a newer version.

    What cannot be read is null; a specification of a newer version is shown as it is stored. The
    queue passes the job, and it can be cancelled.
    """

    id: str
    object: Literal["job"]
    kind: Literal["training", "verification"] | None
    name: str | None
    owner: str | None
    state: State | None
    phase: str | None
    reason: str | None
    priority: Literal["low", "normal", "high"] | None
    tags: dict[str, str] | None
    notes: str | None
    spec: dict[str, Any] | None = Field(description="As it is stored")
    warnings: list[SpecWarning] | None
    findings: FindingCounts | None
    headline: str | None
    created_at: Timestamp | None
    started_at: Timestamp | None
    finished_at: Timestamp | None
    queue_position: None
    cancel_requested_at: Timestamp | None
    pause_requested_at: Timestamp | None
    progress: Progress | None
    metrics: dict[str, JsonNumber | None] | None
    best: dict[str, dict[str, Any]] | None
    result: dict[str, Any] | None
    failure: Failure | None
    ending: str | None
    attempt: Count | None
    retry_of: str | None
    forked_from: str | None
    device: str | None
    devices: list[str] | None
    mlflow_run_id: str | None
    links: dict[str, str]
    unreadable: list[UnreadableField] = Field(min_length=1)
    attempts: list[Attempt] | None = None


class DeletedJob(BaseModel):
    """A job that was deleted, and the bytes that its files took."""

    id: str
    object: Literal["job"]
    deleted: Literal[True]
    bytes_freed: Count


class ParameterCount(BaseModel):
    """The parameters of a network; `with_statistics` includes running means and variances."""

    trainable: Count
    with_statistics: Count


class Basis(BaseModel):
    """What a prediction is based on: attempts of the same kind, or of others."""

    kind: Literal["seen", "architecture", "cold", "unknown"] = Field(
        description="`seen`: jobs of the same kind; `architecture`: others of the same "
        "architecture; `cold`: any others, or the work of a step alone"
    )
    attempts: Count = Field(description="How many; of others one for each kind")


class PredictedSeconds(BaseModel):
    """The time that a job computes; null where it is not known."""

    p50: float | None
    p90: float | None = Field(description="9 of 10 jobs are expected to take at most this")


class PredictedMemory(BaseModel):
    """An upper bound of what a job allocates on its device, without the driver's context."""

    mib: float | None
    basis: Basis


class Validation(BaseModel):
    """A valid specification, with estimates for its job."""

    object: Literal["validation"]
    valid: Literal[True]
    spec: JobSpec = Field(description="With all defaults filled in")
    parameter_count: ParameterCount
    device_memory_mib: float | None = Field(
        description="An estimate; null while the sidecar is not available"
    )
    seconds_per_epoch: float | None = Field(
        description="As measured in the newest jobs of the same kind, otherwise a rough "
        "prediction; null while the sidecar is not available"
    )
    seconds: PredictedSeconds
    basis: Basis
    memory: PredictedMemory
    queue_position: Count
    warnings: list[SpecWarning] = Field(description="What is allowed and probably a mistake")
