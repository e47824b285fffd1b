"""Presets in the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel, Field

from shared.spec import JobSpec


class Preset(BaseModel):
    """A specification that can be submitted without change, and what it teaches."""

    id: str
    object: Literal["preset"]
    name: str
    title: str
    teaches: str
    look_at: str
    spec: JobSpec
    kind: Literal["preset", "lesson"]
    twin: JobSpec | None = Field(description="Of a lesson: the healthy specification")
