"""Jobs next to each other: what differs, the better values, and their curves in one chart."""

import asyncio
from typing import Annotated, Any

from fastapi import Query, Request, Response

from api.dashboard import job_view
from api.dashboard.charts.job_charts import POINTS, points_of
from api.dashboard.charts.line_chart import Line, Subject, draw
from api.dashboard.page import ApiDep, page_router, redirect, render

router = page_router()

LETTERS = "ABCDEFGHIJ"
#: Colors of lines; further jobs repeat them, so each line ends in a letter.
COLORS = 5
MIN_JOBS, MAX_JOBS = 2, 10
#: The metrics that are listed first, and the curves that are drawn.
SPLITS = ("validation", "test")
CURVES = ("val_loss", "val_accuracy", "val_mean_absolute_error", "train_loss", "generalization_gap")
MAX_LISTED = 50


@router.get("/compare")
async def get_comparison_page(
    request: Request,
    api: ApiDep,
    jobs: Annotated[list[str] | None, Query()] = None,
    job: Annotated[list[str] | None, Query()] = None,
) -> Response:
    """Return the comparison of 2 to 10 jobs, or a list to choose them from.

    `jobs` holds ids separated by commas, as in the API; each `job` is a box that was ticked.
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
    curves = [points_of(each["data"]) for each in series]
    return render(
        request,
        "compare.html",
        jobs=columns,
        differences=comparison["differences"],
        main=[each for each in comparison["metrics"] if each["split"] in SPLITS],
        others=[each for each in comparison["metrics"] if each["split"] not in SPLITS],
        charts=_charts(columns, curves),
    )


def _charts(jobs: list[dict[str, Any]], curves: list[dict[str, Any]]) -> list[Any]:
    """Return a chart of each metric that at least one of the jobs has."""
    last = max(
        (epoch for lines in curves for points in lines.values() for epoch, _ in points), default=1
    )
    charts = []
    for name in CURVES:
        lines = [
            Line(f"{job['letter']} {job['name'] or job['id']}", job["style"], of_job[name])
            for job, of_job in zip(jobs, curves, strict=True)
            if of_job.get(name)
        ]
        if lines:
            is_fraction = "accuracy" in name
            charts.append(draw(name, lines, Subject(int(last)), is_fraction=is_fraction))
    return charts
