"""The best jobs on a data set."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query, Request, Response

from api.dashboard.charts.scatter import draw_scatter
from api.dashboard.page import ApiDep, page_router, render

router = page_router()

PAGE = 50
#: Fields in which a job differs from the first, that its row shows.
MAX_DIFFERENCES = 4
TEST_METRICS = ("test_accuracy", "test_mean_absolute_error", "test_loss")


@router.get("/leaderboard")
async def get_leaderboard_page(
    request: Request,
    api: ApiDep,
    dataset: Annotated[str | None, Query(max_length=100)] = None,
    metric: Annotated[str | None, Query(max_length=64)] = None,
    after: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """Return the jobs on a data set by their best value of a metric; or the data sets."""
    listed = await api.get("/v1/datasets", limit=100)
    datasets = [each["name"] for each in listed["data"]]
    if not dataset:
        return render(request, "leaderboard.html", datasets=datasets, dataset=None, board=None)
    query = {"dataset": dataset, "metric": metric or None, "after": after or None}
    board = await api.get("/v1/leaderboard", limit=PAGE, **query)
    entries = board["data"]
    older = None
    if board["has_more"] and entries:
        older = _address("/leaderboard", {**query, "after": entries[-1]["job"]})
    return render(
        request,
        "leaderboard.html",
        datasets=datasets,
        dataset=dataset,
        board=board,
        metric=metric,
        changes=_changes(entries, board["differences"]),
        most=MAX_DIFFERENCES,
        test_names=[name for name in TEST_METRICS if any(name in e["test"] for e in entries)],
        older=older,
        chart=draw_scatter(entries, board["metric"]),
        left_out=_left_out(board, query),
    )


@router.get("/leaderboard/left-out")
async def get_left_out_page(
    request: Request,
    api: ApiDep,
    dataset: Annotated[str, Query(max_length=100)],
    metric: Annotated[str | None, Query(max_length=64)] = None,
    after: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """Return the jobs on a data set without a rank, and why."""
    query = {"dataset": dataset, "metric": metric or None, "after": after or None}
    found = await api.get("/v1/leaderboard/left-out", limit=PAGE, **query)
    older = None
    if found["has_more"] and found["data"]:
        older = _address("/leaderboard/left-out", {**query, "after": found["data"][-1]["job"]})
    return render(
        request,
        "left_out.html",
        dataset=dataset,
        metric=found["metric"]["name"],
        board=_address("/leaderboard", {**query, "after": None}),
        jobs=[{**each, "why": _why(each, found["metric"]["name"])} for each in found["data"]],
        older=older,
    )


def _left_out(board: dict[str, Any], query: dict[str, Any]) -> dict[str, Any] | None:
    """Return how many jobs have no rank, why, and where they are listed; None for no job."""
    counts = board["left_out"]
    texts = [f"{counts['failed']} failed"] if counts["failed"] else []
    if counts["no_value"]:
        have = "has" if counts["no_value"] == 1 else "have"
        texts.append(f"{counts['no_value']} {have} no value of {board['metric']['name']}")
    address = _address("/leaderboard/left-out", {**query, "after": None})
    total = sum(counts.values())
    return {"count": total, "text": ", ".join(texts), "address": address} if total else None


def _why(job: dict[str, Any], metric: str) -> str:
    """Return why a job has no rank."""
    if job["ending"] is not None:
        return job["ending"] if job["reason"] == "failed" else f"{job['ending']}; no {metric}"
    return "has not started" if job["state"] == "queued" else f"no value of {metric} so far"


def _address(path: str, query: dict[str, Any]) -> str:
    return f"{path}?{urlencode({name: value for name, value in query.items() if value})}"


def _changes(
    entries: list[dict[str, Any]], differences: list[dict[str, Any]]
) -> dict[str, list[tuple[str, Any]]]:
    """Return, by job, the fields in which it differs from the first job, and its values."""
    first = entries[0]["job"] if entries else None
    return {
        entry["job"]: [
            (each["pointer"], each["values"][entry["job"]])
            for each in differences
            if entry["job"] in each["values"]
            and each["values"].get(first) != each["values"][entry["job"]]
        ]
        for entry in entries
    }
