"""How the state of the service looks in the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"]


class Ready(BaseModel):
    """Every part answers."""

    status: Literal["ready"]
    parts: dict[str, bool]
