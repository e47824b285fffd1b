"""The results of a job on the test split: accuracies, confusion, mistakes, files."""

import asyncio
from typing import Annotated, Any

from fastapi import Query, Request, Response

from api.dashboard.api_client import ApiClient, ApiError
from api.dashboard.job import header
from api.dashboard.page import ApiDep, page_router, render

router = page_router()

#: A larger matrix is shown as a list of its largest cells.
MAX_TABLE_CLASSES = 50
MAX_CONFUSIONS = 100
#: The shades of a cell, by the share of the samples of its row.
SHADES = 9
PICTURES = 24
CONFLICT = 409


@router.get("/jobs/{job_id}/results")
async def get_results_page(
    request: Request,
    api: ApiDep,
    job_id: str,
    checkpoint: Annotated[str | None, Query(max_length=100)] = None,
    true: Annotated[int | None, Query(ge=0)] = None,
    predicted: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """Return accuracies by checkpoint, the confusion matrix, and the pictures of a cell."""
    path = f"/v1/jobs/{job_id}"
    job, artifacts, (tested, why_not) = await asyncio.gather(
        api.get(path),
        api.get(f"{path}/artifacts", limit=100),
        _read_tests(api, path, checkpoint),
    )
    values: dict[str, Any] = {"tested": None, "why_not": why_not}
    if tested is not None:
        values = {"why_not": None, **_results(tested, true, predicted)}
    return render(
        request,
        "job/results.html",
        **header(job, "results"),
        artifacts=artifacts["data"],
        given_checkpoint=checkpoint,
        pictures=PICTURES,
        **values,
    )


async def _read_tests(
    api: ApiClient, path: str, checkpoint: str | None
) -> tuple[tuple[Any, Any] | None, str | None]:
    """Return top-k and confusion; or None, and why there are none."""
    try:
        return await asyncio.gather(
            api.get(f"{path}/top-k", limit=1, checkpoint=checkpoint),
            api.get(f"{path}/confusion", checkpoint=checkpoint),
        ), None
    except ApiError as error:
        if error.status != CONFLICT:
            raise
        return None, error.problem["detail"]


def _results(tested: tuple[Any, Any], true: int | None, predicted: int | None) -> dict[str, Any]:
    top_k, confusion = tested
    classes, matrix = confusion["classes"], confusion["matrix"]
    accuracies = top_k["checkpoints"]
    shown = next(each for each in accuracies if each["checkpoint"] == confusion["checkpoint"])
    cell = None
    if true is not None and predicted is not None and max(true, predicted) < len(classes):
        count = matrix[true][predicted]
        cell = {"true": classes[true], "predicted": classes[predicted], "count": count}
    return {
        "tested": accuracies,
        "shown": shown,
        "ks": sorted({k for each in accuracies for k in each["top_k"]}, key=int),
        "classes": classes,
        "table": _table(matrix) if len(classes) <= MAX_TABLE_CLASSES else None,
        "confusions": _largest(classes, matrix),
        "worst": sorted(
            shown["per_class"], key=lambda each: (each["accuracy"] is None, each["accuracy"])
        )[:MAX_CONFUSIONS],
        "cell": cell,
        "chosen": (true, predicted),
    }


def _table(matrix: list[list[int]]) -> list[list[dict[str, Any]]]:
    """Return the cells of the matrix, each shaded by its share of its row."""
    totals = [sum(row) for row in matrix]
    return [
        [{"count": count, "shade": _shade(count, total)} for count in row]
        for row, total in zip(matrix, totals, strict=True)
    ]


def _shade(count: int, total: int) -> int:
    """Return the shade of a cell from 0 for none; the smallest count is visible too."""
    return 0 if not count else max(1, round(SHADES * count / total))


def _largest(classes: list[str], matrix: list[list[int]]) -> list[dict[str, Any]]:
    """Return the pairs of different classes that are confused most often."""
    cells = [
        {
            "true": true,
            "predicted": predicted,
            "names": (classes[true], classes[predicted]),
            "count": count,
            "share": count / total,
        }
        for true, row in enumerate(matrix)
        if (total := sum(row)) > row[true]
        for predicted, count in enumerate(row)
        if count and true != predicted
    ]
    return sorted(cells, key=lambda each: -each["count"])[:MAX_CONFUSIONS]
