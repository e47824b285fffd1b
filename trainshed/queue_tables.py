"""The queue, the devices and explanations for people."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from trainshed.escaping import escaped
from trainshed.formatting import duration, percent, timestamp

Json = dict[str, Any]


def queue_view(queue: Json) -> RenderableType:
    """Return the jobs that wait, and who has used how much."""
    queue = escaped(queue)
    jobs = Table("", "job", "owner", "priority", "waits", "starts about", "why", box=None)
    for row in queue["data"]:
        waits = duration(timedelta(seconds=row["waiting_seconds"]))
        starts = row["starts"]["p50"]
        jobs.add_row(
            str(row["position"]),
            row["job"] or "–",
            row["owner"] or "–",
            row["rank"],
            waits,
            timestamp(starts) if starts else "–",
            row["reason"] or "starts now",
        )
    shares = Table("owner", "used", "entitled to", "device time", box=None)
    for row in queue["shares"]:
        seconds = duration(timedelta(seconds=row["device_seconds"]))
        used, entitled = percent(row["used_fraction"]), percent(row["entitled_fraction"])
        shares.add_row(row["owner"] or "–", used, entitled, seconds)
    more = queue["waiting"] - len(queue["data"])
    head = "nothing waits" if not queue["data"] else jobs
    rest = [Text(f"and {more} more")] if more > 0 else []
    return Group(head, *rest, Text(""), shares) if queue["shares"] else Group(head, *rest)


def devices_view(devices: list[Json]) -> RenderableType:
    """Return what each device does."""
    if not devices:
        return Text("no devices: no worker has started yet")
    table = Table("device", "model", "state", "memory", "other processes", "jobs", box=None)
    for row in escaped(devices):
        memory = row["memory_mib"]
        free = "–"
        if memory["total"] is not None:
            free = f"{memory['free']:.0f} of {memory['total']:.0f} MiB free"
        jobs = ", ".join(
            f"{job['job'] or 'a job'} of {job['owner'] or 'somebody'}" for job in row["jobs"]
        )
        foreign = f"{memory['foreign']:.0f} MiB" if memory["foreign"] else "–"
        table.add_row(row["id"], row["model"], row["state"], free, foreign, jobs or "–")
    return table


def explanation_view(found: Json) -> RenderableType:
    """Return why a job waits and what would change that, or why it started."""
    return Group(*(Text(line) for line in _explanation(escaped(found))))


def _explanation(found: Json) -> Iterator[str]:
    yield f"{found['job']} is {found['state']}"
    for entry in found["history"]:
        yield f"attempt {entry['attempt']} {_happened(entry)}"
    if found.get("summary"):
        place = f"position {found['position'] or '?'}: " if "position" in found else ""
        yield f"{place}{found['summary']}"
    starts = found.get("starts") or {}
    if starts.get("p50"):
        latest = timestamp(starts["p90"]) if starts["p90"] else "an unknown time"
        yield f"starts about {timestamp(starts['p50'])}, likely before {latest}"
    for device in found.get("devices") or []:
        yield f"  {device['device']}: {_device(device)}"
    for name, words in (
        ("would_start_now_if", "starts now with"),
        ("would_start_earlier_if", "starts earlier with"),
    ):
        for change in found.get(name) or []:
            patch = ", ".join(f"{key} {value}" for key, value in change["patch"].items())
            yield f"  {words} {patch}"


def _happened(entry: Json) -> str:
    """Return what happened to an attempt."""
    at = timestamp(entry["at"])
    if "rank" in entry:
        return f"started {at}, rank {entry['rank']}"
    return f"gave way {at}" if "ended" in entry else f"was requested to give way {at}"


def _device(device: Json) -> str:
    if device["fits"]:
        return "free"
    blockers = ", ".join(blocker["job"] or "another job" for blocker in device.get("blockers", []))
    return f"{device['reason']}" + (f": {blockers}" if blockers else "")
