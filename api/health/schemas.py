"""Health checks in the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel


class Alive(BaseModel):
    """The process responds."""

    status: Literal["alive"]


class Ready(BaseModel):
    """All parts respond."""

    status: Literal["ready"]
    parts: dict[str, bool]
