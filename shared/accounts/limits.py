"""What one person may use: the limits of the settings, which limits of the person replace."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings

#: What may be limited. A person has the limit of the settings where there is no limit of their own.
LIMITS = (
    *("running", "queued", "device_seconds_week", "high_device_seconds_week"),
    *("storage_mib", "requests_per_second"),
)


class LimitSettings(BaseSettings):
    """The settings that limit everybody, a part of the settings of the box."""

    limit_upload_mib: int = Field(
        default=4096, ge=1, description="maximum size of an uploaded file"
    )
    limit_running: int | None = Field(
        default=None, ge=0, description="jobs of a person that run at the same time"
    )
    limit_queued: int | None = Field(
        default=None, ge=0, description="jobs of a person that wait; further jobs are refused"
    )
    limit_device_seconds_week: float | None = Field(
        default=None,
        ge=0,
        le=1e12,
        description="device time of a person in seven days, after which their jobs wait",
    )
    limit_high_device_seconds_week: float | None = Field(
        default=None,
        ge=0,
        le=1e12,
        description="the same for jobs of high priority, after which they are refused",
    )
    limit_storage_mib: float | None = Field(
        default=None, ge=0, le=1e12, description="stored files of a person"
    )
    limit_requests_per_second: float | None = Field(
        default=None, gt=0, le=1e6, description="requests of a person to the API"
    )


def default_limits(settings: LimitSettings) -> dict[str, float]:
    """Return the limits that `TRAINSHED_LIMIT_…` sets, by name."""
    found = {name: getattr(settings, f"limit_{name}") for name in LIMITS}
    return {name: limit for name, limit in found.items() if limit is not None}


def limit_of(defaults: Mapping[str, float], own: Any, name: str) -> float | None:
    """Return a limit of a person, or None if there is none.

    Args:
        defaults: of the settings.
        own: limits of the person as they are stored; damaged values count as absent.
        name: one of `LIMITS`.
    """
    value = own.get(name) if isinstance(own, dict) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and is_number and isfinite(value) and value >= 0:
        return value
    return defaults.get(name)
