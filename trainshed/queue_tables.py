"""The queue, the devices and explanations for people."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from trainshed.escaping import escaped
from trainshed.formatting import duration, percent, time_range, timestamp

Json = dict[str, Any]


def queue_view(queue: Json, *, now: datetime | None = None) -> RenderableType:
    """Return the jobs that wait, and who has used how much.

    Args:
        queue: as the service returns it.
        now: to which times are relative; None for the clock of this machine.
    """
    queue, now = escaped(queue), now or datetime.now(UTC)
    jobs = Table("", "job", "owner", "priority", "waits", "starts", "why", box=None)
    for row in queue["data"]:
        waits = duration(timedelta(seconds=row["waiting_seconds"]))
        jobs.add_row(
            str(row["position"]),
            row["job"] or "–",
            row["owner"] or "–",
            row["rank"],
            waits,
            "now" if row["reason"] is None else time_range(**row["starts"], now=now),
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


def devices_view(devices: list[Json], *, now: datetime | None = None) -> RenderableType:
    """Return what each device does, and when its jobs end.

    Args:
        devices: as the service returns them.
        now: to which times are relative; None for the clock of this machine.
    """
    now = now or datetime.now(UTC)
    if not devices:
        return Text("no devices: no worker has started yet")
    table = Table("device", "model", "state", "memory", "other processes", "jobs", box=None)
    for row in escaped(devices):
        memory = row["memory_mib"]
        free = "–"
        if memory["free"] is not None:
            free = f"{memory['free']:.0f} of {memory['total']:.0f} MiB free"
        jobs = "\n".join(
            f"{job['job'] or 'a job'} of {job['owner'] or 'somebody'}, "
            f"ends {time_range(**job['ends'], now=now)}"
            for job in row["jobs"]
        )
        foreign = f"{memory['foreign']:.0f} MiB" if memory["foreign"] else "–"
        table.add_row(row["id"], row["model"], row["state"], free, foreign, jobs or "–")
    return table


def explanation_view(found: Json, *, now: datetime | None = None) -> RenderableType:
    """Return why a job waits and what would change that, or why it started.

    Args:
        found: as the service returns it.
        now: to which times are relative; None for the clock of this machine.
    """
    lines = _explanation(escaped(found), now or datetime.now(UTC))
    return Group(*(Text(line) for line in lines))


def _explanation(found: Json, now: datetime) -> Iterator[str]:
    yield f"{found['job']} is {found['state']}"
    for entry in found["history"]:
        yield f"attempt {entry['attempt']} {_happened(entry)}"
    if found.get("summary"):
        place = f"position {found['position'] or '?'}: " if "position" in found else ""
        yield f"{place}{found['summary']}"
    for name in ("starts", "ends"):
        if found.get(name) and found.get("reason", "") is not None:
            yield f"{name} {time_range(**found[name], now=now)}"
    if (found.get("seconds") or {}).get("p50") is not None:
        yield takes_line(found["seconds"], found["basis"])
    for device in found.get("devices") or []:
        yield f"  {device['device']}: {_device(device)}"
    for name, words in (
        ("would_start_now_if", "starts now with"),
        ("would_start_earlier_if", "starts earlier with"),
    ):
        for change in found.get(name) or []:
            yield f"  {words} {_change(change)}"


def _happened(entry: Json) -> str:
    """Return what happened to an attempt."""
    at = timestamp(entry["at"])
    if "rank" in entry:
        return f"started {at}, rank {entry['rank']}"
    return f"gave way {at}" if "ended" in entry else f"was requested to give way {at}"


def takes_line(seconds: Json, basis: Json) -> str:
    """Return how long the whole job is predicted to take, and what says so."""
    low, high = (duration(timedelta(seconds=seconds[name])) for name in ("p50", "p90"))
    count = basis["attempts"]
    what = {
        "seen": "jobs of this kind",
        "architecture": "kinds with this architecture",
        "cold": "other kinds",
    }.get(basis["kind"], "other kinds")
    source = f"from {count} {what}" if count else "from the work of a step"
    return f"takes about {low}, likely less than {high} ({source})"


def _change(change: Json) -> str:
    """Return a change of the job, or of a fork in its place."""
    if change["via"] == "patch":
        return ", ".join(f"{key}={_value(value)}" for key, value in change["patch"].items())
    fields = (
        f"{operation['path'].strip('/').replace('/', '.')}={_value(operation['value'])}"
        for operation in change["patch"]
    )
    return f"{', '.join(fields)}, as a fork in place of this job"


def _value(value: Any) -> str:
    """Return a value as `trainshed set` and `--set` take it."""
    return value if isinstance(value, str) else json.dumps(value)


def _device(device: Json) -> str:
    if device["fits"]:
        return "free"
    if device["reason"] == "placement":
        return f"not a {device['model']}, on which the job continues bit for bit"
    blockers = ", ".join(blocker["job"] or "another job" for blocker in device.get("blockers", []))
    return f"{device['reason']}" + (f": {blockers}" if blockers else "")
