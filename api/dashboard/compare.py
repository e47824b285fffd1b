"""Jobs next to each other: what differs, the better values, and their curves in one chart."""

import asyncio
from typing import Annotated, Literal

from fastapi import Query, Request, Response

from api.dashboard import job_view
from api.dashboard.charts.compared import draw_compared, group_jobs, group_values
from api.dashboard.charts.job_charts import POINTS, points_of
from api.dashboard.page import ApiDep, page_router, redirect, render

router = page_router()

LETTERS = "ABCDEFGHIJ"
#: Colors of lines; further jobs repeat them, so each line ends in a letter.
COLORS = 5
MIN_JOBS, MAX_JOBS = 2, 10
#: The metrics that are listed first.
SPLITS = ("validation", "test")
MAX_LISTED = 50


@router.get("/compare")
async def get_comparison_page(
    request: Request,
    api: ApiDep,
    jobs: Annotated[list[str] | None, Query()] = None,
    job: Annotated[list[str] | None, Query()] = None,
    seeds: Literal["mean", "lines"] = "mean",
) -> Response:
    """Return the comparison of 2 to 10 jobs, or a list to choose them from.

    `jobs` holds ids separated by commas, as in the API; each `job` is a box that was ticked. Jobs
    that differ in their seed alone are drawn as their mean with a band, or with `seeds=lines` as
    jobs of their own.
    """
    if job:
        return redirect(f"/compare?jobs={','.join(dict.fromkeys(job))}")
    ids = [each for text in jobs or () for each in text.split(",") if each]
    if len(ids) < MIN_JOBS:
        listed = await api.get("/v1/jobs", limit=MAX_LISTED)
        rows = [job_view.row(each) for each in listed["data"] if each["started_at"]]
        return render(request, "compare_choice.html", rows=rows, chosen=ids, most=MAX_JOBS)
    comparison, *series = await asyncio.gather(
        api.get("/v1/compare", jobs=",".join(ids)),
        *(api.get(f"/v1/jobs/{each}/metrics", points=POINTS) for each in ids),
    )
    columns = [
        {**each, "letter": LETTERS[index], "style": f"c{index % COLORS + 1}"}
        for index, each in enumerate(comparison["jobs"])
    ]
    curves = {each: points_of(of_job["data"]) for each, of_job in zip(ids, series, strict=True)}
    groups = group_jobs(columns, comparison["differences"])
    main = [each for each in comparison["metrics"] if each["split"] in SPLITS]
    return render(
        request,
        "compare.html",
        jobs=columns,
        differences=comparison["differences"],
        main=main,
        others=[each for each in comparison["metrics"] if each["split"] not in SPLITS],
        charts=draw_compared(columns, curves, groups if seeds == "mean" else []),
        groups=groups,
        group_rows=group_values(groups, main),
        seeds=seeds,
        address=f"/compare?jobs={','.join(ids)}",
    )
