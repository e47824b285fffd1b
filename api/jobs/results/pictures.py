"""Pictures of test samples: one alone, or a sheet with captions."""

import base64
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response, Security

from api.deps import JobId, ServicesDep, right
from api.http.responses import json_response, list_page, matches_etag
from api.http.schemas import ETAG, NOT_MODIFIED, Responses, content
from api.jobs.results.evaluations import Evaluated, read_classification
from api.jobs.results.refusals import as_conflict
from api.jobs.results.samples import Samples, read_samples, sample_json
from api.services.container import Services
from shared import sidecar
from shared.columns import is_table
from shared.datasets import FACTS, is_available
from shared.errors import Conflict, DatasetMissing, InvalidSpec
from shared.jobs.checkpoint_names import checkpoint_name
from shared.jobs.rows import CheckpointRow, EvaluationRow, JobRow
from shared.predictions import Prediction

router = APIRouter()

PNG = "image/png"
Format = Annotated[
    Literal["json", "sheet"], Query(description="`sheet`: one PNG of these samples, with captions")
]
PICTURE: Responses = {200: {**content(PNG), **ETAG}, **NOT_MODIFIED}
#: A list of samples, or its sheet.
LIST_OR_SHEET: Responses = {200: {"model": Samples, **content(PNG), **ETAG}, **NOT_MODIFIED}


@router.get(
    "/top-k/samples/{index}.png",
    dependencies=[Security(right("jobs:read"))],
    summary="Get the picture of a test sample",
    response_class=Response,
    responses=PICTURE,
)
async def get_sample_picture(
    job_id: JobId,
    index: Annotated[int, Path(ge=0, description="Of the sample, as `top-k` lists it")],
    request: Request,
    services: ServicesDep,
) -> Response:
    """Return a sample as the network gets it, before its normalization; enlarged if it is small."""
    return await services.sidecar.in_thread(_sample_picture, services, job_id, index, request)


def _sample_picture(services: Services, job_id: str, index: int, request: Request) -> Response:
    evaluated = read_classification(services, job_id)
    row, evaluation = evaluated.select(None)
    read_samples(services, row, evaluation, [index])
    return _picture(services, evaluated.job, request, [{"sample": index}])


def list_or_sheet(
    services: Services,
    request: Request,
    evaluated: Evaluated,
    checkpoint: tuple[CheckpointRow, EvaluationRow],
    *,
    found: Sequence[Prediction],
    total: int,
    after: int,
    form: str,
    title: str,
) -> Response:
    """Return samples as a page of a list, or as a sheet.

    Args:
        services: The services.
        request: With its conditional headers.
        evaluated: The job.
        checkpoint: The checkpoint that predicts, with its evaluation.
        found: The samples of the page.
        total: The number of samples on all pages.
        after: The number of samples on the pages before.
        form: `json` or `sheet`.
        title: Of the sheet.

    Raises:
        Conflict: The samples have no pictures.
        DatasetMissing: The data set of the job is missing or has changed.
    """
    row, evaluation = checkpoint
    classes = evaluation.data["classes"]
    if form == "json":
        samples = [sample_json(prediction, classes) for prediction in found]
        page = list_page(samples, has_more=after + len(found) < total)
        return json_response({"checkpoint": row.id, **page})
    shown = f"{after + 1} to {after + len(found)} of {total:,}" if found else f"0 of {total:,}"
    return _picture(
        services,
        evaluated.job,
        request,
        [_captioned(prediction) for prediction in found],
        title=f"{title}, {checkpoint_name(row)}, {shown}",
        classes=classes,
    )


def _captioned(prediction: Prediction) -> dict[str, Any]:
    return {
        "sample": prediction.sample,
        "label": prediction.label,
        "predicted": prediction.classes[0] if prediction.is_finite else None,
        "probability": prediction.probabilities[0] if prediction.is_finite else None,
    }


def _picture(
    services: Services,
    job: JobRow,
    request: Request,
    samples: list[dict[str, Any]],
    *,
    title: str | None = None,
    classes: Sequence[str] = (),
) -> Response:
    """Return the picture that the sidecar draws; what it is made from decides its ETag."""
    dataset = job.spec["dataset"]
    if is_table(dataset):
        raise Conflict("The job was trained on a table, whose samples have no pictures.")
    trained_on = ((job.result or {}).get("dataset") or {}).get("content_hash")
    fields = {
        "dataset": dataset,
        "content_hash": trained_on,
        "samples": samples,
        "title": title,
        "classes": list(classes),
    }
    etag = f'"{sidecar.digest(fields)}"'
    if matches_etag(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers={"ETag": etag})
    name = dataset["name"]
    if name in FACTS and not is_available(name, services.settings.home):
        raise DatasetMissing(f"The data set {name} is no longer on this box.")
    try:
        png = services.sidecar.send("tested_samples", fields)["png"]
    except InvalidSpec as error:
        raise as_conflict(error) from error
    return Response(base64.b64decode(png), media_type=PNG, headers={"ETag": etag})
