"""The settings of the policy by which people share the box, a part of `shared.settings`."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

YEAR_SECONDS = 31_536_000.0


class PolicySettings(BaseSettings):
    """Who is next, what shares a device, and when a job gives way."""

    half_life_seconds: float = Field(
        default=86_400.0,
        ge=60.0,
        le=YEAR_SECONDS,
        description="time after which used device time counts half in the order of the queue",
    )
    overdue_seconds: float = Field(
        default=43_200.0,
        ge=60.0,
        le=YEAR_SECONDS,
        description="waiting time after which a person who was not served is next",
    )
    time_sharing: Literal["exact", "all", "off"] = Field(
        default="exact",
        description="which jobs give way to waiting jobs of other people after their quantum: "
        "exact: jobs that continue bit for bit; all; off: none",
    )
    quantum_seconds: float = Field(
        default=1_800.0,
        ge=1.0,
        le=YEAR_SECONDS,
        description="time that a job runs before it gives way; at least 19 times what its stop "
        "and start take",
    )
    quantum_of_low_seconds: float = Field(
        default=300.0,
        ge=1.0,
        le=YEAR_SECONDS,
        description="the same for jobs of low priority",
    )
    jobs_per_device: int = Field(
        default=4,
        ge=1,
        le=64,
        description="jobs that share a GPU where their memory fits; 1: each has a GPU for itself",
    )
