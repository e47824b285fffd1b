"""The queue in the OpenAPI document."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from api.http.schemas import Count, Timestamp
from api.jobs.schemas import Basis, PredictedMemory, PredictedSeconds

Reason = Literal[
    "order", "memory", "devices", "reserved", "limit", "placement", "foreign_process",
    "quarantined", "no_worker", "pausing", "draining",
]  # fmt: skip
RankName = Literal["overdue", "high", "express", "normal", "low"]


class Starts(BaseModel):
    """When a job is predicted to start; null where that is not known."""

    p50: Timestamp | None
    p90: Timestamp | None


class QueueEntry(BaseModel):
    """A job that waits."""

    object: Literal["queue_entry"]
    #: For `after`, to continue behind this entry.
    cursor: str
    position: Count
    is_exact: bool
    job: str | None
    name: str | None
    owner: str | None
    priority: Literal["low", "normal", "high"]
    rank: RankName
    gpus: Count
    memory_mib: float
    waiting_seconds: float
    reason: Reason | None
    starts: Starts
    reserved: Timestamp | None


class Share(BaseModel):
    """How much of the box a person has used lately, and is entitled to."""

    owner: str | None
    weight: float
    used_fraction: float
    entitled_fraction: float
    device_seconds: float
    last_start_at: Timestamp | None


class PolicyInForce(BaseModel):
    """The rules of the order."""

    half_life_seconds: float
    quantum_seconds: float
    overdue_seconds: float
    express_seconds: float
    time_sharing: Literal["exact", "all", "off"]


class Queue(BaseModel):
    """A page of the queue, the shares of the people in it, and the policy."""

    object: Literal["list"]
    has_more: bool
    data: list[QueueEntry]
    shares: list[Share]
    policy: PolicyInForce
    waiting: Count


class Explanation(BaseModel):
    """Why a job waits, or when and why it started."""

    model_config = ConfigDict(extra="allow")

    object: Literal["explanation"]
    job: str
    state: str
    history: list[dict[str, Any]]
    position: Count | None = None
    reason: Reason | None = None
    summary: str | None = None
    order: dict[str, Any] | None = None
    devices: list[dict[str, Any]] | None = None
    starts: Starts | None = None
    ends: Starts | None = None
    seconds: PredictedSeconds | None = None
    basis: Basis | None = None
    memory: PredictedMemory | None = None
    would_start_now_if: list[dict[str, Any]] | None = None
    would_start_earlier_if: list[dict[str, Any]] | None = None
