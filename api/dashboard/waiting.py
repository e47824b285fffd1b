"""The jobs that wait, in the order in which they start, with reasons and predicted starts."""

import asyncio
from dataclasses import dataclass
from typing import Any

from api.dashboard import job_view
from api.dashboard.api_client import ApiClient, ApiError
from api.queue.explanation import SENTENCES
from shared.states import FINAL

Json = dict[str, Any]

#: Rows of the list; the jobs behind them are counted.
MAX_ROWS = 30
#: Queued jobs that are read at once; a row that is not among them is a request of its own.
MAX_LISTED = 100


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
    queue, listed = await asyncio.gather(
        api.get("/v1/queue", limit=MAX_ROWS),
        api.get("/v1/jobs", state="queued", limit=MAX_LISTED),
    )
    jobs = {job["id"]: job for job in listed["data"]}
    ids = [entry["job"] for entry in queue["data"] if entry["job"]]
    jobs |= await _read_others(api, [each for each in ids if each not in jobs])
    rows = [_row(entry, jobs.get(entry["job"])) for entry in queue["data"]]
    # A job that started since the queue was read is among the running jobs.
    shown = [row for row in rows if row["id"] is None or row["state"] == "queued"]
    count = queue["waiting"] - (len(rows) - len(shown))
    if not queue["has_more"] and not listed["has_more"]:
        # Submitted since the queue was read, or out of the queue because its row is damaged.
        late = [_row({}, job) for job in reversed(listed["data"]) if job["id"] not in ids]
        shown, count = shown + late, count + len(late)
    return Waiting(shown, count)


def why(reason: str | None, memory_mib: float | None = None) -> str:
    """Return why a job waits, as a sentence."""
    if reason is None:
        return "It starts now."
    if reason == "memory" and memory_mib:
        return f"{SENTENCES[reason]} It needs {memory_mib / 1024:,.1f} GiB."
    return SENTENCES.get(reason, reason.replace("_", " "))


async def _read_others(api: ApiClient, ids: list[str]) -> dict[str, Json]:
    async def read(job_id: str) -> Json | None:
        try:
            return await api.get(f"/v1/jobs/{job_id}")
        except ApiError:  # deleted since the queue was read
            return None

    return {job["id"]: job for job in await asyncio.gather(*map(read, ids)) if job is not None}


def _row(entry: Json, job: Json | None) -> Json:
    """Return an entry of the queue as a row; of a job of somebody else, its place and owner."""
    known = job_view.row(job) if job is not None else _unknown(entry)
    if not entry or (job is not None and job["state"] in FINAL):
        return {**known, "why": "", "starts": None}
    return {
        **known,
        "position": entry["position"],
        "priority": entry["priority"],
        "why": why(entry["reason"], entry["memory_mib"]),
        "starts": entry["starts"],
    }


def _unknown(entry: Json) -> Json:
    return {
        "id": None,
        "state": "queued" if entry["job"] is None else "gone",
        "word": "queued",
        "owner": entry["owner"] or "another person",
    }
