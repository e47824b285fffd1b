"""The metrics of a job, as JSON or CSV."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response, Security
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from api.deps import JobId, ServicesDep, right
from api.http.accept import prefers
from api.http.requests import Text
from api.http.schemas import Count, JsonNumber, Timestamp, content, list_of
from api.jobs.history import series
from api.jobs.lookup import read_job
from shared.errors import Fault, InvalidSpec
from shared.jobs.series import Window

router = APIRouter()

Epoch = Annotated[int, Query(ge=0, le=2**31 - 1)]


class Point(BaseModel):
    """A value of a metric."""

    step: Count
    epoch: Count
    value: JsonNumber
    at: Timestamp


class Series(BaseModel):
    """A metric over the steps of a stage."""

    name: str
    split: Literal["train", "validation", "test"] | None
    stage: str
    points: list[Point]


@router.get(
    "/metrics",
    dependencies=[Security(right("jobs:read"))],
    summary="Get the metrics of a job",
    responses={200: {"model": list_of(Series), **content("text/csv", is_binary=False)}},
)
def get_metrics(
    job_id: JobId,
    request: Request,
    services: ServicesDep,
    name: Annotated[Text | None, Query(max_length=64)] = None,
    split: Literal["train", "validation", "test"] | None = None,
    stage: Annotated[Text | None, Query(max_length=64)] = None,
    after_step: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    from_epoch: Epoch | None = None,
    to_epoch: Epoch | None = None,
    points: Annotated[
        int | None,
        Query(
            ge=2,
            le=100_000,
            description="About how many points of each series: the first, the last, and the lowest "
            "and the highest of each part of it. By default all points are returned",
        ),
    ] = None,
    format: Annotated[Literal["json", "csv"] | None, Query()] = None,  # noqa: A002
) -> Response:
    """Return the metrics as series, as JSON or CSV (by `format` or `Accept`).

    A value that is not finite is "nan", "inf" or "-inf". A long response is streamed.
    """
    read_job(services, job_id)
    _check_range(from_epoch, to_epoch)
    found, is_long = series.read(
        services.database,
        services.outlines,
        job_id,
        max_points=points,
        name=name,
        split=split,
        stage=stage,
        window=Window(after_step, from_epoch, to_epoch),
    )
    is_csv = format == "csv" or (format is None and prefers(request, "text/csv"))
    chunks = series.as_csv(found) if is_csv else series.as_json(found)
    media_type = "text/csv; charset=utf-8" if is_csv else "application/json"
    if is_long:
        return StreamingResponse(chunks, media_type=media_type)
    return Response(b"".join(chunks), media_type=media_type)


def _check_range(from_epoch: int | None, to_epoch: int | None) -> None:
    """Refuse a range of epochs that ends before it begins.

    Raises:
        InvalidSpec: it does.
    """
    if from_epoch is not None and to_epoch is not None and to_epoch < from_epoch:
        text = f"is {to_epoch}; it must be at least `from_epoch`, which is {from_epoch}"
        raise InvalidSpec([Fault("/query/to_epoch", text)], subject="request")
