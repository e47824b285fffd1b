"""The data sets: what is in them, what is wrong with them, and which jobs use them."""

import asyncio
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query, Request, Response

from api.dashboard import job_view
from api.dashboard.api_client import ApiClient, ApiError
from api.dashboard.page import ApiDep, page_router, redirect, render

router = page_router()

PAGE = 50
#: Classes whose samples are on the sheet, and samples of each.
SHEET = {"per_class": 8, "classes": 20}
MAX_JOBS = 10
NOT_FOUND = 404


@router.get("/datasets")
async def get_datasets_page(
    request: Request, api: ApiDep, after: Annotated[str | None, Query(max_length=100)] = None
) -> Response:
    """Return the data sets by name."""
    page = await api.get("/v1/datasets", limit=PAGE, after=after or None)
    data = page["data"]
    older = f"/datasets?{urlencode({'after': data[-1]['id']})}" if page["has_more"] else None
    return render(request, "datasets.html", datasets=data, older=older)


@router.get("/datasets/{name}")
async def get_dataset_page(request: Request, api: ApiDep, name: str) -> Response:
    """Return a data set: its classes, samples, warnings, versions and jobs."""
    path = f"/v1/datasets/{name}"
    dataset, versions, jobs = await asyncio.gather(
        api.get(path),
        _versions(api, path),
        api.get("/v1/jobs", dataset=name, limit=MAX_JOBS),
    )
    counts = [each["images"] or 0 for each in dataset["classes"]]
    return render(
        request,
        "dataset.html",
        dataset=dataset,
        reference=name,
        versions=versions,
        jobs=[job_view.row(job) for job in jobs["data"]],
        most_images=max([1, *counts]),
        sheet=urlencode(SHEET),
    )


@router.post("/datasets/{name}/delete")
async def delete_dataset(api: ApiDep, name: str) -> Response:
    """Delete an upload and lead to the list."""
    await api.call("DELETE", f"/v1/datasets/{name}", {})
    return redirect("/datasets")


async def _versions(api: ApiClient, path: str) -> list[dict[str, Any]]:
    """Return the versions of an upload; a built-in data set has none."""
    try:
        return (await api.get(f"{path}/versions", limit=100))["data"]
    except ApiError as error:
        if error.status != NOT_FOUND:
            raise
        return []
