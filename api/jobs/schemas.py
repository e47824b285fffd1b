"""How jobs look in the OpenAPI document."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.http.schemas import At, Count, Figure, Fraction
from shared.errors import FailureKind
from shared.spec import JobSpec
from shared.states import State


class Progress(BaseModel):
    """How far a job is; at most a second old."""

    stage: str | None
    epoch: Count
    epochs: Count
    step: Count
    steps: Count
    fraction: Fraction
    images_per_second: float | None
    eta_seconds: float | None


class Failure(BaseModel):
    """Why a job failed, and what to do about it."""

    kind: FailureKind
    message: str
    hint: str


class Attempt(BaseModel):
    """One execution of a job."""

    number: Count
    worker: str
    device: str
    started_at: At
    ended_at: At | None
    outcome: str | None
    exit_code: int | None
    first_step: Count | None


class Job(BaseModel):
    """What was asked for, how far it is and what came out of it. A list leaves out `attempts`."""

    id: str
    object: Literal["job"]
    name: str
    owner: str
    state: State
    phase: str | None = Field(description="finer than the state: a stage's name, evaluating, …")
    reason: str | None
    priority: Literal["low", "normal", "high"]
    tags: dict[str, str]
    notes: str
    spec: JobSpec = Field(description="with every default filled in")
    created_at: At
    started_at: At | None
    finished_at: At | None
    queue_position: Count | None = Field(
        description="null for a job that does not wait, or was submitted just now"
    )
    cancel_requested_at: At | None
    pause_requested_at: At | None
    progress: Progress | None
    metrics: dict[str, Figure | None] = Field(description="the latest, by name")
    best: dict[str, dict[str, Any]] = Field(description="by monitor")
    result: dict[str, Any] | None
    failure: Failure | None
    attempt: Count = Field(description="how many attempts there were")
    retry_of: str | None
    device: str | None
    mlflow_run_id: str | None
    links: dict[str, str]
    attempts: list[Attempt] | None = None


class ParameterCount(BaseModel):
    """The parameters of a network; `with_statistics` adds running means and variances."""

    trainable: Count
    with_statistics: Count


class Validation(BaseModel):
    """What can be said of a specification before it runs."""

    object: Literal["validation"]
    valid: Literal[True]
    spec: JobSpec = Field(description="with every default filled in")
    parameter_count: ParameterCount
    device_memory_mib: float | None = Field(description="predicted; null where nobody knows")
    seconds_per_epoch: float | None = Field(description="of the newest job of the same work")
    queue_position: Count


class Event(BaseModel):
    """Something that happened to a job; `id` is its place among the job's events."""

    id: Count
    object: Literal["event"]
    type: str
    at: At
    data: dict[str, Any]


class Point(BaseModel):
    """A value of a metric."""

    step: Count
    epoch: Count
    value: Figure
    at: At


class Series(BaseModel):
    """A metric over the steps of a stage."""

    name: str
    split: Literal["train", "validation", "test"] | None
    stage: str
    points: list[Point]
