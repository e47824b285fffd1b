"""The jobs that wait, in the order in which they start, with reasons and predicted starts."""

import asyncio
from dataclasses import dataclass
from typing import Any

from api.dashboard import formats, job_view
from api.dashboard.api_client import ApiClient, ApiError
from api.queue.explanation import SENTENCES
from shared.states import FINAL

Json = dict[str, Any]

#: Rows of the list; the jobs behind them are counted.
MAX_ROWS = 30
#: Queued jobs that are read at once.
MAX_LISTED = 50


@dataclass(frozen=True)
class Waiting:
    """The first jobs of the queue as rows, and how many wait in all."""

    rows: list[Json]
    count: int

    @property
    def more(self) -> int:
        """How many jobs wait that are not among the rows."""
        return max(0, self.count - len(self.rows))


async def read_waiting(api: ApiClient) -> Waiting:
    """Return what waits: the jobs that the person may read, and places of others' jobs."""
    queue = await api.get("/v1/queue", limit=MAX_ROWS)
    ids = [entry["job"] for entry in queue["data"] if entry["job"]]
    if queue["has_more"]:
        jobs, late, is_complete = await _read_before(api, ids), [], False
    else:
        listed = await api.get("/v1/jobs", state="queued", limit=MAX_LISTED)
        jobs = {job["id"]: job for job in listed["data"]}
        is_complete = not listed["has_more"]
        # Submitted since the queue was read, or out of the queue because its row is damaged.
        late = [_row({}, job) for job in reversed(listed["data"]) if job["id"] not in ids]
    # A job that has started since the queue was read waits no longer.
    entries = [
        entry
        for entry in queue["data"]
        if not (is_complete and entry["job"] and entry["job"] not in jobs)
    ]
    rows = [_row(entry, jobs.get(entry["job"])) for entry in entries]
    shown = [row for row in rows if row["state"] == "queued"]
    count = queue["waiting"] - (len(queue["data"]) - len(shown)) + len(late)
    return Waiting(shown + late, count)


def why(reason: str | None, memory_mib: float | None = None) -> str:
    """Return why a job waits, as a sentence."""
    if reason is None:
        return "It starts now."
    if reason == "memory" and memory_mib:
        return f"{SENTENCES[reason]} It needs {memory_mib / 1024:,.1f} GiB."
    return SENTENCES.get(reason, reason.replace("_", " "))


async def _read_before(api: ApiClient, ids: list[str]) -> dict[str, Json]:
    """Return the newest of these jobs and the queued jobs that were submitted before it.

    The first jobs of a long queue are usually neighbors, so this takes two requests.
    """
    if not ids:
        return {}
    newest = max(ids)
    try:
        job, before = await asyncio.gather(
            api.get(f"/v1/jobs/{newest}"),
            api.get("/v1/jobs", state="queued", limit=MAX_LISTED, after=newest),
        )
    except ApiError:  # deleted since the queue was read
        return {}
    return {each["id"]: each for each in (job, *before["data"])}


def _row(entry: Json, job: Json | None) -> Json:
    """Return an entry of the queue as a row; of a job that was not read, what the queue says."""
    known = job_view.row(job) if job is not None else _from_queue(entry)
    if not entry or (job is not None and job["state"] in FINAL):
        return {**known, "why": "", "starts": None}
    return {
        **known,
        "position": entry["position"],
        "priority": entry["priority"],
        "why": why(entry["reason"], entry["memory_mib"]),
        "starts": entry["starts"],
    }


def _from_queue(entry: Json) -> Json:
    """Return the row of a job that only the queue shows; without an id if it is somebody else's."""
    return {
        "id": entry["job"],
        "name": formats.label(entry) if entry["job"] else "",
        "owner": entry["owner"] or "another person",
        "state": "queued",
        "word": "queued",
        "dataset": formats.NOTHING,
        "architecture": "",
        "findings": {"error": 0, "warning": 0},
        "headline": None,
        "created_at": None,
        "actions": job_view.actions_of("queued"),
    }
