"""Analyses in the OpenAPI document."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.http.schemas import Count, Fraction, Sha256, Timestamp
from api.jobs.schemas import Failure
from shared.states import State


class AnalysisProgress(BaseModel):
    """The progress of an analysis, at most a second old."""

    step: Count
    steps: Count
    fraction: Fraction
    eta_seconds: float | None


class AnalysisArtifact(BaseModel):
    """A file of an analysis: arrays (.npz) or a picture (.svg, .png)."""

    name: str
    media_type: str
    bytes: Count
    sha256: Sha256
    download: str


class Analysis(BaseModel):
    """An analysis of a checkpoint, its progress and its result."""

    id: str
    object: Literal["analysis"]
    job: str = Field(description="The id of the job whose checkpoint is analysed")
    owner: str
    kind: str
    checkpoint: str = Field(description="The id of the checkpoint")
    checkpoint_name: str = Field(description="As it was called at the request")
    parameters: dict[str, Any] = Field(description="With all defaults filled in")
    predicted_memory_mib: float
    max_runtime_seconds: int | None = Field(description="Of all attempts; null for no limit")
    state: State
    reason: str | None
    queue_position: Count | None
    progress: AnalysisProgress | None
    result: dict[str, Any] | None = Field(
        description="By kind, see docs/analyses.md; null until the analysis has succeeded"
    )
    failure: Failure | None
    artifacts: list[AnalysisArtifact]
    attempt: Count
    device: str | None
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    cancel_requested_at: Timestamp | None
    links: dict[str, str]
