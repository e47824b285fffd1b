"""Why a job waits: its place, and what blocks each device."""

from collections.abc import Iterator
from typing import Any

from api.queue.memory_reasons import device_reason, memory_sentence, never_fits
from api.queue.rendering import share_fractions, starts_json, time_text
from api.services.principal import Principal
from api.services.queue_order import Snapshot
from shared.jobs.planning.box import Device, LimitedBy, Owner, Rank
from shared.jobs.planning.exactness import Exactness
from shared.jobs.planning.forecast import Start
from shared.jobs.planning.plan import Entry
from shared.jobs.rows import JobRow

#: Jobs ahead that are listed.
MAX_AHEAD = 20
WHY_AHEAD = {
    Rank.OVERDUE: "its owner was not served for long",
    Rank.HIGH: "it has high priority",
    Rank.NORMAL: "it has a higher priority",
    Rank.LOW: "it has a higher priority",
}
SENTENCES = {
    "order": "Earlier jobs take what is free.",
    "devices": "All devices that it could use are busy.",
    "memory": "No device has enough free memory for it.",
    "reserved": "The free devices are held for an earlier job.",
    "limit": "Its owner may not run more jobs at the same time.",
    "placement": "It continues bit for bit only on the model of GPU that it ran on, and no device "
    "is one. With allow_inexact it continues on another.",
    "foreign_process": "Processes that are no jobs take the memory that it needs.",
    "quarantined": "The devices are out of use after a fault.",
    "draining": "The workers are stopping.",
    "no_worker": "No worker answers.",
}
#: For the reason `limit`, by what limits the owner.
LIMIT_SENTENCES: dict[LimitedBy | None, str] = {
    "running": "As many jobs of its owner run as may run at the same time.",
    "device_seconds_week": "Its owner has used the device time that is allowed in a week.",
    "disabled": "The account of its owner is disabled; an admin can enable it.",
}
#: For the reason `no_worker`, where a worker answers.
AWAY = "No device is there: the worker answers, but its devices have gone; its log says since when."
YIELDED = "It gave way to a waiting job and continues from its checkpoint by itself."
YIELDING = (
    "Its quantum is over and it gives way to a waiting job: it stops with a checkpoint at the next "
    "step and waits again."
)


def explain_waiting(
    snapshot: Snapshot, entry: Entry | None, row: JobRow, principal: Principal
) -> dict[str, Any]:
    """Return the explanation of a job that waits.

    Args:
        snapshot: of the queue.
        entry: of the job in the plan; None if it is not in it.
        row: of the job.
        principal: who reads it.
    """
    if entry is None:
        return {"position": None, "reason": "order", "summary": SENTENCES["order"]}
    is_expected = any(job.yields_to == row.id for job in snapshot.box.running)
    position = snapshot.positions[row.id]
    start = snapshot.forecast.get(row.id)
    owner = snapshot.box.owners.get(entry.job.owner) or Owner(entry.job.owner)
    summary = "It starts now." if entry.reason is None else SENTENCES[entry.reason]
    if entry.reason == "limit":
        summary = LIMIT_SENTENCES.get(owner.limited_by, summary)
    elif entry.reason == "no_worker" and snapshot.box.devices:
        summary = AWAY
    elif entry.reason == "placement":
        summary = summary.replace("the model of GPU that it ran on", entry.job.placement)
    elif entry.reason in ("memory", "foreign_process") or never_fits(snapshot, entry.job):
        summary = memory_sentence(snapshot, entry.job, principal) or summary
    if position > 1 and entry.reason is not None:
        summary += f" {position - 1} {'job is' if position == 2 else 'jobs are'} ahead of it."
    if is_expected:
        summary += " A running job is giving way to it."
    if row.reason == "yielded":
        summary = f"{YIELDED} {summary}"
    return {
        "position": position,
        "reason": entry.reason,
        "summary": summary,
        "order": {
            "rank": entry.place.rank.name.lower(),
            "usage": _usage(snapshot, entry),
            "overdue_at": time_text(_overdue_at(snapshot, entry)),
            "ahead": list(_ahead(snapshot, entry, principal)),
        },
        "devices": [_device(snapshot, device, entry, principal) for device in snapshot.box.devices],
        "starts": starts_json(start),
    }


def explain_running(snapshot: Snapshot, row: JobRow) -> dict[str, Any]:
    """Return when a running job is predicted to end."""
    job = next((job for job in snapshot.box.running if job.id == row.id), None)
    return {} if job is None else {"ends": starts_json(Start(job.ends_p50, job.ends_p90))}


def _usage(snapshot: Snapshot, entry: Entry) -> dict[str, float]:
    owners = snapshot.box.owners
    owner = owners.get(entry.job.owner) or Owner(entry.job.owner)
    usage = sum(each.usage for each in owners.values())
    return share_fractions(owner, usage, sum(each.weight for each in owners.values()))


def _overdue_at(snapshot: Snapshot, entry: Entry) -> float:
    owner = snapshot.box.owners.get(entry.job.owner) or Owner(entry.job.owner)
    since = max(entry.job.eligible_at, owner.last_start_at)
    return since + snapshot.box.policy.overdue_seconds


def _ahead(snapshot: Snapshot, entry: Entry, principal: Principal) -> Iterator[dict[str, Any]]:
    before = snapshot.plan.entries[: snapshot.positions[entry.job.id] - 1]
    for other in before[:MAX_AHEAD]:
        job = other.job
        if job.owner == entry.job.owner:
            why = "it is earlier in the own line of its owner"
        elif other.place.rank < entry.place.rank:
            why = WHY_AHEAD[other.place.rank]
        else:
            why = "its owner used less"
        yield {"job": job.id if principal.may_read(job.owner) else None, "why": why}


def _device(
    snapshot: Snapshot, device: Device, entry: Entry, principal: Principal
) -> dict[str, Any]:
    """Return why a job cannot start on a device, or that it fits."""
    found: dict[str, Any] = {"device": device.id, "fits": False}
    if entry.devices is not None and device.id in entry.devices:
        # It starts there now; the device is then held for a later job.
        return found | {"fits": True}
    reservation = snapshot.plan.reservation
    if device.closed is not None:
        return found | {"reason": device.closed}
    if not Exactness(snapshot.box.now, snapshot.box.devices).suits(entry.job, device):
        return found | {"reason": "placement", "model": entry.job.placement}
    reason = device_reason(snapshot, device, entry.job, principal)
    if reason is not None:
        return found | reason
    is_held = reservation is not None and device.id in reservation.devices
    if is_held and reservation is not None and reservation.job.id != entry.job.id:
        is_readable = principal.may_read(reservation.job.owner)
        return found | {"reason": "held_for", "job": reservation.job.id if is_readable else None}
    return found | {"fits": True}
