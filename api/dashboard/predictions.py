"""A job's predictions for pictures that a person uploads."""

import asyncio
import base64
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Query, Request, Response
from starlette.datastructures import UploadFile

from api.dashboard.api_client import ApiClient, ApiError
from api.dashboard.job import header
from api.dashboard.page import ApiDep, page_router, render
from api.jobs.results.prediction_input import MAX_BODY_BYTES, MAX_PICTURES
from shared.columns import is_table

router = page_router()

#: Method, path and limit of the body. A body between this limit and the API's is read, so that the
#: browser shows the page that refuses it.
UPLOAD = ("POST", r"/jobs/[^/]+/predict", 4 * MAX_BODY_BYTES)
#: The beginnings of files that a browser shows; others are listed without their picture.
BEGINNINGS = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}
MAX_MB = MAX_BODY_BYTES // 1_000_000
#: Larger pictures are not sent back to the browser.
MAX_SHOWN_BYTES = 500_000

Json = dict[str, Any]
CheckpointName = Annotated[str | None, Query(max_length=100)]


@router.get("/jobs/{job_id}/predict")
async def get_prediction_page(
    request: Request, api: ApiDep, job_id: str, checkpoint: CheckpointName = None
) -> Response:
    """Return the form for pictures."""
    return await _page(request, api, job_id, checkpoint)


@router.post("/jobs/{job_id}/predict")
async def predict(
    request: Request, api: ApiDep, job_id: str, checkpoint: CheckpointName = None
) -> Response:
    """Return the most probable classes of each picture, or what is wrong with the upload."""
    body = await request.body()
    if len(body) > MAX_BODY_BYTES:
        text = f"The pictures have {len(body) / 1e6:.0f} MB; at most {MAX_BODY_BYTES // 10**6} MB "
        problem = {
            "detail": text + "are allowed at once. Send fewer or smaller pictures.",
            "errors": [],
        }
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return await _page(request, api, job_id, checkpoint, problem=problem, status=status)
    path = f"/v1/jobs/{job_id}/predictions"
    given = {"content_type": request.headers.get("content-type", "")}
    try:
        answer = await api.call("POST", path, {"checkpoint": checkpoint}, body, given)
    except ApiError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            raise
        return await _page(
            request, api, job_id, checkpoint, problem=error.problem, status=error.status
        )
    pictures = await _pictures(request)
    predictions = [
        {**each, "picture": picture}
        for each, picture in zip(answer.json["data"], pictures, strict=True)
    ]
    return await _page(
        request, api, job_id, checkpoint, predictions=predictions, by=answer.json["checkpoint"]
    )


async def _page(
    request: Request,
    api: ApiClient,
    job_id: str,
    checkpoint: str | None,
    *,
    predictions: list[Json] | None = None,
    by: str | None = None,
    problem: Json | None = None,
    status: int = 200,
) -> Response:
    path = f"/v1/jobs/{job_id}"
    job, checkpoints = await asyncio.gather(
        api.get(path), api.get(f"{path}/checkpoints", limit=100)
    )
    return render(
        request,
        "job/predict.html",
        status_code=status,
        **header(job, "predict"),
        is_table=bool(job["spec"]) and is_table(job["spec"]["dataset"]),
        names=[each["name"] for each in checkpoints["data"]],
        checkpoint=checkpoint,
        predictions=predictions,
        by=by,
        problem=None if problem is None else {"errors": [], **problem},
        most=MAX_PICTURES,
        most_mb=MAX_MB,
    )


async def _pictures(request: Request) -> list[str | None]:
    """Return each uploaded picture as a `data:` address; None for what a browser cannot show."""
    async with request.form(max_files=MAX_PICTURES + 1) as form:
        parts = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        return [_address(await part.read()) for part in parts]


def _address(content: bytes) -> str | None:
    kind = next((kind for start, kind in BEGINNINGS.items() if content.startswith(start)), None)
    if kind is None or len(content) > MAX_SHOWN_BYTES:
        return None
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
