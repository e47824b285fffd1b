"""The plan: one pass over the order. What fits starts; the first job that does not is next.

The claim, the queue's page, predicted starts and explanations all come from this function.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from shared.jobs.planning.box import UNUSABLE, Box, Device, Rank, WaitingJob
from shared.jobs.planning.order import Place, in_order
from shared.jobs.planning.placement import Reservation, Room

#: How many waiting jobs are looked at, by a claim and by the queue's page alike. Behind so many
#: jobs that fit no device, a job that fits does not start.
MAX_CANDIDATES = 1_000

Reason = Literal[
    "order", "memory", "devices", "reserved", "limit", "placement", "foreign_process",
    "quarantined", "draining", "no_worker",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A waiting job in the plan."""

    place: Place
    #: On which it starts now; None if it waits.
    devices: tuple[str, ...] | None
    #: Why it waits; None if it starts.
    reason: Reason | None
    #: Whether it starts earlier than a job that is ahead of it in the order.
    is_backfilled: bool = False

    @property
    def job(self) -> WaitingJob:
        """The job."""
        return self.place.job


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens now, and in which order the rest waits."""

    entries: list[Entry]
    reservation: Reservation | None
    #: Whether jobs that were not read could start.
    is_cut: bool = False

    @property
    def starts(self) -> Iterator[Entry]:
        """The jobs that start now."""
        return (entry for entry in self.entries if entry.devices is not None)


def plan(box: Box, *, depth: int = MAX_CANDIDATES, until_start: bool = False) -> Plan:
    """Return which jobs start now, and for which job devices are held.

    Args:
        box: everything that the plan depends on. Its lines are read.
        depth: how many waiting jobs are looked at.
        until_start: end at the first start, and as soon as no device can get a job.
    """
    room = Room(box)
    entries: list[Entry] = []
    reservation: Reservation | None = None
    is_cut = has_starts = False
    for place in islice(in_order(box), depth):
        if until_start and room.is_full:
            break
        if box.unread_from is not None and place.key >= box.unread_from:
            is_cut = True
            break
        if until_start and place.is_limited:
            break
        if place.is_limited:
            entries.append(Entry(place, None, "limit"))
            continue
        devices = room.find(place.job)
        if devices is not None:
            room.occupy(place.job, devices)
            entries.append(Entry(place, devices, None, reservation is not None))
            has_starts = True
            if until_start:
                break
            continue
        reason = _reason(box, room, place.job, reservation, has_starts=has_starts)
        if reservation is None:
            is_overdue = place.rank is Rank.OVERDUE
            reservation = room.reserve(place.job, is_overdue=is_overdue)
        entries.append(Entry(place, None, reason))
    else:
        is_cut = box.unread_from is not None and len(entries) < depth
    return Plan(entries, reservation, is_cut)


def _reason(
    box: Box, room: Room, job: WaitingJob, reservation: Reservation | None, *, has_starts: bool
) -> Reason:
    """Return why a job cannot start now."""
    usable = [device for device in box.devices if device.closed not in UNUSABLE]
    if not usable:
        closed = {device.closed for device in box.devices}
        if closed & {"quarantined"}:
            return "quarantined"
        return "draining" if closed & {"draining"} else "no_worker"
    suited = [device for device in usable if room.exactness.suits(job, device)]
    if max(_count_by_host(suited).values(), default=0) < job.gpus:
        return "placement" if not suited and room.exactness.is_missing(job) else "devices"
    spaces = [room.spaces[device.id] for device in suited]
    roomy = [space for space in spaces if space.free_at(job, box.now) is not None]
    if len(roomy) < job.gpus:  # even after all our jobs
        foreign = sum(job.memory_mib <= s.free_mib + s.device.foreign_mib for s in spaces)
        return "foreign_process" if foreign >= job.gpus else "memory"
    if reservation is not None or has_starts:
        is_held = any(
            space.held_until is not None and not space.jobs and job.memory_mib <= space.free_mib
            for space in spaces
        )
        return "reserved" if is_held else "order"
    has_slot = any(space.may_be_shared for space in spaces)
    return "memory" if has_slot and job.gpus == 1 else "devices"


def _count_by_host(devices: list[Device]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for device in devices:
        counts[device.host] = counts.get(device.host, 0) + 1
    return counts
