"""What needs the attention of a person: own jobs that failed, serious findings, lost devices."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from api.dashboard import job_view

Json = dict[str, Any]

#: Jobs that failed longer ago are no news.
HOURS = 24
MAX_ROWS = 5


def rows(
    failed: Sequence[Json], running: Sequence[Json], others: Sequence[Json], account: str
) -> list[Json]:
    """Return the person's jobs that failed lately or that train with a serious finding.

    A failed job that was retried is left out: the retry shows how it goes.

    Args:
        failed: jobs, newest first.
        running: jobs.
        others: further jobs among which retries are looked for.
        account: name of the person.
    """
    retried = {job["retry_of"] for job in (*failed, *running, *others)}
    oldest = datetime.now(UTC) - timedelta(hours=HOURS)
    found = [
        {**job_view.row(job), "hint": (job["failure"] or {}).get("hint")}
        for job in (*failed, *running)
        if job["owner"] == account and job["id"] not in retried and _is_news(job, oldest)
    ]
    return found[:MAX_ROWS]


def devices(listed: Sequence[Json]) -> list[Json]:
    """Return the devices of workers that answer which take no job after a fault."""
    return [device for device in listed if device["state"] == "quarantined"]


def _is_news(job: Json, oldest: datetime) -> bool:
    if job["state"] == "failed":
        return job["finished_at"] is None or datetime.fromisoformat(job["finished_at"]) > oldest
    return (job["findings"] or {}).get("error", 0) > 0
