"""The home page: what runs, what waits, and what ended."""

import asyncio
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query, Request, Response

from api.dashboard import attention, device_view, job_view
from api.dashboard.api_client import ApiClient
from api.dashboard.charts.job_charts import finite_values
from api.dashboard.charts.line_chart import sparkline
from api.dashboard.formats import label
from api.dashboard.page import open_api, page_router, render
from api.dashboard.recent import read_jobs
from api.dashboard.waiting import read_waiting
from api.http.responses import json_response

router = page_router()

PAGE = 50
#: The answer depends on what the client accepts.
VARY = {"Vary": "Accept"}
#: Running jobs with a small curve; each curve is a query.
MAX_SPARKLINES = 8
SPARKLINE_POINTS = 40
#: The newest failed jobs, of which the jobs that need attention are listed at the top.
MAX_FAILED = 20


@router.get("/")
async def get_home(
    request: Request,
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
    api = await open_api(request)
    filters = {"state": state, "dataset": dataset, "tag": tag, "named": named, "owner": owner}
    given = {name: value for name, value in filters.items() if value}
    account = request.state.account
    devices, running, waiting, paused, failed, (jobs, has_more) = await asyncio.gather(
        api.get("/v1/devices"),
        api.get("/v1/jobs", state="running", limit=PAGE),
        read_waiting(api),
        api.get("/v1/jobs", state="paused", limit=PAGE),
        api.get("/v1/jobs", state="failed", owner=account, limit=MAX_FAILED),
        read_jobs(api, given, limit=PAGE, after=after or None),
    )
    names = {job["id"]: label(job) for job in running["data"]}
    is_empty = not (jobs or waiting.rows or running["data"] or paused["data"] or given or after)
    return render(
        request,
        "home.html",
        devices=device_view.rows(devices["data"], names),
        running=await _with_sparklines(api, running["data"]),
        waiting=waiting,
        paused=[job_view.row(job) for job in paused["data"]],
        attention=attention.rows(failed["data"], running["data"], jobs, account),
        lost_devices=attention.devices(devices["data"]),
        recent=[job_view.row(job) for job in jobs],
        filters=filters,
        older=_older(given, jobs) if has_more else None,
        is_filtered=bool(given),
        is_first=not after,
        is_empty=is_empty,
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


def _older(filters: dict[str, Any], jobs: list[dict[str, Any]]) -> str:
    return "/?" + urlencode({**filters, "after": jobs[-1]["id"]})
