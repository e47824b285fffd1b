"""Findings in the OpenAPI document."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.http.schemas import Count, JsonNumber


class Evidence(BaseModel):
    """The statistic that crossed its threshold; some rules add further numbers."""

    model_config = ConfigDict(extra="allow")

    statistic: str
    value: JsonNumber | None
    threshold: JsonNumber | None
    direction: Literal["above", "below"]
    samples: Count | None
    series: list[list[JsonNumber | None]] = Field(description="Pairs of a step and a value")


class Check(BaseModel):
    """What a training with the patch showed."""

    state: Literal["none", "queued", "running", "verified", "refuted", "inconclusive"]
    job: str | None = Field(description="The job with the patch")
    gain: float | None = Field(description="The relative decrease of the validation loss")
    detail: str | None = Field(default=None, description="Why, once there is a verdict")


class Patch(BaseModel):
    """A change of the specification that may cure the fault."""

    id: str
    operations: list[dict[str, Any]] = Field(description="JSON Patch (RFC 6902)")
    expects: str
    check: Check


class Finding(BaseModel):
    """A fault that a rule found in the training of a job."""

    id: str
    object: Literal["finding"]
    job: str
    rule: str
    severity: Literal["error", "warning", "info"]
    state: Literal["open", "resolved"]
    stage: str
    first_step: Count
    last_step: Count
    epoch: Count
    layers: list[str]
    because_of: str | None = Field(description="The finding that explains this finding")
    sentence: str = Field(description="What is wrong, with the number")
    evidence: Evidence
    explanation: str
    next: str | None = Field(description="What to do where no patch can cure it")
    reasons: list[int] = Field(description="Of the checklist's 37 reasons")
    patches: list[Patch]
