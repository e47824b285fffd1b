"""The queue as JSON, with what the principal may see."""

from datetime import UTC, datetime
from math import isfinite
from typing import Any

from api.queue.cursor import cursor_of
from api.services.principal import Principal
from api.services.queue_order import Snapshot
from shared.clock import rfc3339
from shared.jobs.planning.box import Owner, Policy
from shared.jobs.planning.forecast import Start
from shared.jobs.planning.plan import Entry
from shared.states import PRIORITY_NAMES


def time_text(at: float | None) -> str | None:
    """Return a time of the plan as text; None if it is unknown."""
    is_known = at is not None and isfinite(at)
    return rfc3339(datetime.fromtimestamp(at, UTC)) if is_known and at is not None else None


def starts_json(start: Start | None) -> dict[str, Any]:
    """Return a predicted start."""
    if start is None:
        return {"p50": None, "p90": None}
    return {"p50": time_text(start.p50), "p90": time_text(start.p90)}


def entry_json(
    snapshot: Snapshot, entry: Entry, name: str | None, principal: Principal
) -> dict[str, Any]:
    """Return an entry; of a job that the principal may not read, only what the queue shows."""
    job, reservation = entry.job, snapshot.plan.reservation
    is_readable = principal.may_read(job.owner)
    is_reserved = reservation is not None and reservation.job.id == job.id
    return {
        "object": "queue_entry",
        "cursor": cursor_of(job.id, snapshot.positions[job.id]),
        "position": snapshot.positions[job.id],
        "is_exact": True,
        "job": job.id if is_readable else None,
        "name": name if is_readable else None,
        "owner": job.owner if principal.knows_owner(job.owner) else None,
        "priority": PRIORITY_NAMES[job.priority],
        "rank": entry.place.rank.name.lower(),
        "gpus": job.gpus,
        "memory_mib": job.memory_mib,
        "waiting_seconds": round(max(0.0, snapshot.box.now - job.eligible_at), 3),
        "reason": entry.reason,
        "starts": starts_json(snapshot.forecast.get(job.id)),
        "reserved": time_text(reservation.at) if is_reserved and reservation else None,
    }


def shares_json(snapshot: Snapshot, principal: Principal) -> list[dict[str, Any]]:
    """Return the shares of everybody who has a job that waits or runs, by used time."""
    owners = sorted(snapshot.box.owners.values(), key=lambda owner: (-owner.usage, owner.name))
    usage = sum(owner.usage for owner in owners)
    weight = sum(owner.weight for owner in owners)
    return [_share(owner, usage, weight, principal) for owner in owners]


def share_fractions(owner: Owner, usage: float, weight: float) -> dict[str, float]:
    """Return which part of the used time is the owner's, and which part should be."""
    return {
        "used_fraction": round(owner.usage / usage, 4) if usage else 0.0,
        "entitled_fraction": round(owner.weight / weight, 4) if weight else 0.0,
    }


def _share(owner: Owner, usage: float, weight: float, principal: Principal) -> dict[str, Any]:
    return {
        "owner": owner.name if principal.knows_owner(owner.name) else None,
        "weight": owner.weight,
        **share_fractions(owner, usage, weight),
        "device_seconds": round(owner.usage, 3),
        "last_start_at": time_text(owner.last_start_at),
    }


def policy_json(policy: Policy) -> dict[str, Any]:
    """Return the rules of the order."""
    return {
        "half_life_seconds": policy.half_life_seconds,
        "quantum_seconds": policy.quantum_seconds,
        "overdue_seconds": policy.overdue_seconds,
        "express_seconds": 0.0,  # no rank of its own for short jobs
        "time_sharing": policy.time_sharing,
    }
