"""Comparisons and leaderboards in the OpenAPI document."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.http.schemas import Count, JsonNumber, Timestamp, list_of
from shared.states import State


class Difference(BaseModel):
    """A field in which the specifications of jobs differ."""

    pointer: str = Field(description="A JSON pointer into the filled specification")
    values: dict[str, Any] = Field(
        description="The value of each job by its id; a job without the field is left out"
    )


class ComparedJob(BaseModel):
    """A job of a comparison."""

    id: str
    name: str
    owner: str
    state: State
    dataset: str
    architecture: str | None
    created_at: Timestamp
    finished_at: Timestamp | None


class ComparedValue(BaseModel):
    """A metric of one job. The best value is null where no direction is better."""

    final: JsonNumber | None
    best: float | None
    best_epoch: Count | None
    best_step: Count | None


class MetricDeclaration(BaseModel):
    """A metric as the catalogue declares it."""

    name: str
    split: Literal["train", "validation", "test"] | None
    unit: str | None
    direction: Literal["higher", "lower"] | None


class ComparedMetric(MetricDeclaration):
    """A metric of several jobs."""

    values: dict[str, ComparedValue] = Field(description="By the id of the job")
    better: list[str] = Field(
        description="The jobs with the best value; empty where all have the same"
    )


class Comparison(BaseModel):
    """Several jobs side by side."""

    object: Literal["comparison"]
    jobs: list[ComparedJob]
    differences: list[Difference]
    metrics: list[ComparedMetric]


class LeaderboardEntry(BaseModel):
    """A job on a leaderboard."""

    object: Literal["leaderboard_entry"]
    rank: int = Field(ge=1)
    job: str
    name: str
    owner: str
    state: State
    dataset: str
    architecture: str | None
    created_at: Timestamp
    value: float = Field(description="The best value of the metric")
    epoch: Count
    step: Count
    seconds: float | None = Field(
        description="How long the job has run, in all its attempts, without waiting and pauses"
    )
    test: dict[str, JsonNumber] = Field(description="The job's test metrics, which do not rank")


class LeftOutCounts(BaseModel):
    """How many jobs on the data set have no rank."""

    failed: Count
    no_value: Count = Field(description="Jobs without a finite value of the metric")


class Leaderboard(list_of(LeaderboardEntry)):
    """The best jobs on a data set, with what their specifications differ in."""

    metric: MetricDeclaration
    left_out: LeftOutCounts
    differences: list[Difference]


class LeftOutJob(BaseModel):
    """A job on the data set without a rank."""

    object: Literal["left_out_job"]
    job: str
    name: str
    owner: str
    state: State
    dataset: str
    architecture: str | None
    created_at: Timestamp
    reason: Literal["failed", "no_value"]
    ending: str | None = Field(description="How the job ended; null before its end")


class LeftOut(list_of(LeftOutJob)):
    """The jobs on a data set that its leaderboard leaves out, newest first."""

    metric: MetricDeclaration
