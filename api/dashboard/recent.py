"""The jobs that ended, newest first, and pages of any list of jobs."""

import asyncio
from typing import Any

from api.dashboard.api_client import ApiClient
from shared.states import FINAL

Json = dict[str, Any]


async def read_jobs(
    api: ApiClient, filters: Json, *, limit: int, after: str | None
) -> tuple[list[Json], bool]:
    """Return a page of the jobs that match the filters, and whether there are more.

    Without a filter these are the jobs that do not wait or run: they have lists of their own.

    Args:
        api: for the person who reads the page.
        filters: of the API, with a value each.
        limit: of the page.
        after: the last job of the page before.
    """
    if filters:
        page = await api.get("/v1/jobs", **filters, limit=limit, after=after)
        return page["data"], page["has_more"]
    newest, *ended = await asyncio.gather(
        api.get("/v1/jobs", limit=limit, after=after),
        *(api.get("/v1/jobs", state=state, limit=limit, after=after) for state in sorted(FINAL)),
    )
    found = {job["id"]: job for page in ended for job in page["data"]}
    # A job whose state cannot be read is in no list of a state.
    found |= {job["id"]: job for job in newest["data"] if job["state"] is None}
    jobs = sorted(found.values(), key=lambda job: job["id"], reverse=True)
    has_more = len(jobs) > limit or any(page["has_more"] for page in ended)
    return jobs[:limit], has_more
