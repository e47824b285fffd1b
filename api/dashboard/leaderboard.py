"""The best jobs on a data set."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query, Request, Response

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
        given = {name: value for name, value in query.items() if value}
        older = "/leaderboard?" + urlencode({**given, "after": entries[-1]["job"]})
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
    )


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
