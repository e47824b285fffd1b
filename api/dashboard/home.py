"""The home page: what runs, what waits, and what ended."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query, Request, Response

from api.dashboard import device_view, job_view
from api.dashboard.api_client import ApiClient
from api.dashboard.charts.job_charts import finite_values
from api.dashboard.charts.line_chart import sparkline
from api.dashboard.page import open_api, page_router, render
from api.deps import ServicesDep
from api.http.responses import json_response

router = page_router()

PAGE = 50
#: These have tables of their own above the recent jobs.
ABOVE = {"running", "queued", "paused"}
#: The answer depends on what the client accepts.
VARY = {"Vary": "Accept"}
#: Running jobs with a small curve; each curve is a query.
MAX_SPARKLINES = 8
SPARKLINE_POINTS = 40
#: Failed jobs that are not older are listed at the top.
ATTENTION_HOURS = 24
MAX_ATTENTION = 5


@router.get("/")
async def get_home(
    request: Request,
    services: ServicesDep,
    *,
    state: Annotated[str | None, Query(max_length=20)] = None,
    dataset: Annotated[str | None, Query(max_length=100)] = None,
    tag: Annotated[str | None, Query(max_length=600)] = None,
    named: Annotated[str | None, Query(max_length=200)] = None,
    owner: Annotated[str | None, Query(max_length=64)] = None,
    after: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """Return the queue, and the jobs that match the filters, newest first.

    For a program, return where the documentation is, as JSON.
    """
    if "text/html" not in request.headers.get("accept", ""):
        links = {"docs": "/docs", "openapi": "/openapi.json", "ready": "/readyz"}
        return json_response({**request.app.openapi()["info"], "links": links}, headers=VARY)
    api = await open_api(request, services)
    filters = {"state": state, "dataset": dataset, "tag": tag, "named": named, "owner": owner}
    given = {name: value for name, value in filters.items() if value}
    devices, running, waiting, paused, failed, recent = await asyncio.gather(
        api.get("/v1/devices"),
        api.get("/v1/jobs", state="running", limit=PAGE),
        api.get("/v1/jobs", state="queued", limit=100),
        api.get("/v1/jobs", state="paused", limit=PAGE),
        api.get("/v1/jobs", state="failed", limit=MAX_ATTENTION),
        api.get("/v1/jobs", **given, limit=PAGE, after=after or None),
    )
    jobs = recent["data"]
    names = {job["id"]: job["name"] or job["id"] for job in running["data"]}
    return render(
        request,
        "home.html",
        devices=device_view.rows(devices["data"], names),
        running=await _with_sparklines(api, running["data"]),
        waiting=_in_order(waiting["data"]),
        has_more_waiting=waiting["has_more"],
        paused=[job_view.row(job) for job in paused["data"]],
        attention=_attention([*failed["data"], *running["data"]]),
        recent=[job_view.row(job) for job in jobs if given or after or job["state"] not in ABOVE],
        filters=filters,
        older=_older(given, jobs) if recent["has_more"] else None,
        is_filtered=bool(given),
        is_first=after is None,
        is_empty=not jobs and not given and after is None,
    )


async def _with_sparklines(api: ApiClient, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the running jobs as rows, the first with their validation loss as a small line."""

    async def with_line(job: dict[str, Any]) -> dict[str, Any]:
        path = f"/v1/jobs/{job['id']}/metrics"
        series = await api.get(path, name="val_loss", points=SPARKLINE_POINTS)
        line = sparkline(finite_values(series["data"], ["val_loss"]))
        return {**job_view.row(job), "sparkline": line}

    drawn = await asyncio.gather(*map(with_line, jobs[:MAX_SPARKLINES]))
    others = [{**job_view.row(job), "sparkline": ""} for job in jobs[MAX_SPARKLINES:]]
    return [*drawn, *others]


def _in_order(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the queued jobs in the order in which they start."""
    rows = [job_view.row(job) for job in jobs]
    return sorted(rows, key=lambda row: (row["position"] is None, row["position"] or 0))


def _attention(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the jobs that failed a short time ago, and jobs with a serious finding."""
    oldest = datetime.now(UTC) - timedelta(hours=ATTENTION_HOURS)
    found = []
    for job in jobs:
        ended_at = job["finished_at"]
        is_new = ended_at is None or datetime.fromisoformat(ended_at) > oldest
        has_error = (job["findings"] or {}).get("error", 0) > 0
        if is_new and (job["state"] == "failed" or has_error):
            found.append({**job_view.row(job), "hint": (job["failure"] or {}).get("hint")})
    return found[:MAX_ATTENTION]


def _older(filters: dict[str, Any], jobs: list[dict[str, Any]]) -> str:
    return "/?" + urlencode({**filters, "after": jobs[-1]["id"]})
