"""What came out of a job: checkpoints and their files, top-k, confusion, artifacts."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response

from api.answers import json_answer, list_of
from api.deps import JobId, ServicesDep
from api.jobs import rendering
from api.services import Services
from shared import predictions
from shared.clock import rfc3339
from shared.errors import Conflict, NotFound, RangeNotSatisfiable
from shared.jobs import reading
from shared.jobs.checkpoints import find, name_of, names
from shared.predictions import Prediction
from shared.storage import WEIGHTS

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"])

Limit = Annotated[int, Query(ge=1, le=100)]
Named = Annotated[str | None, Query(max_length=100, description="an id, last, or best_<monitor>")]
MOST_RANGES = 8


@router.get("/checkpoints", summary="The checkpoints that are kept")
def checkpoints(
    job_id: JobId,
    services: ServicesDep,
    limit: Limit = 20,
    after: Annotated[str | None, Query(max_length=40)] = None,
) -> Any:
    """Oldest first; `after` is an id."""
    rows = [row for row in _checkpoints(services, job_id) if after is None or row["id"] > after]
    shown = [rendering.checkpoint(row) for row in rows[:limit]]
    return json_answer(list_of(shown, has_more=len(rows) > limit))


@router.get(
    "/checkpoints/{checkpoint}/download",
    summary="The weights, as safetensors; ranges are served",
    response_class=FileResponse,
)
def download(job_id: JobId, checkpoint: str, request: Request, services: ServicesDep) -> Response:
    """`checkpoint` is an id, `last`, `initial` or `best_<monitor>`."""
    row = _named(_checkpoints(services, job_id), checkpoint)
    path = services.storage.path(f"{row['directory']}/{WEIGHTS}")
    return _file(
        request,
        path=str(path),
        media_type="application/octet-stream",
        filename=f"{job_id}-{name_of(row)}.safetensors",
        sha256=row["sha256"],
    )


@router.get("/top-k", summary="Top-k accuracies on the test split, and what is said of samples")
def top_k(
    job_id: JobId,
    services: ServicesDep,
    checkpoint: Named = None,
    sample: Annotated[
        list[int] | None, Query(max_length=100, description="of the data set")
    ] = None,
    after: Annotated[int, Query(ge=0, le=2**31, description="samples passed over")] = 0,
    limit: Limit = 20,
) -> Any:
    """For every evaluated checkpoint its accuracies; the samples are those of one of them."""
    found = _of_classes(services, job_id)
    chosen = _named([row for row, _ in found], checkpoint) if checkpoint else found[0][0]
    evaluation = next(one for row, one in found if row["id"] == chosen["id"])
    path = services.storage.path(evaluation["predictions"])
    if sample is None:
        predicted = predictions.read(path, first=after, limit=limit + 1)
    else:
        wanted = set(sample)
        predicted = [p for p in predictions.read(path, limit=2**31) if p.sample in wanted][:limit]
    classes = evaluation["data"]["classes"]
    shown = [_sample(one, classes) for one in predicted[:limit]]
    samples = {"checkpoint": chosen["id"], **list_of(shown, has_more=len(predicted) > limit)}
    accuracies = [_accuracies(row, one) for row, one in found]
    return json_answer({"object": "top_k", "checkpoints": accuracies, "samples": samples})


@router.get("/confusion", summary="How often each class was taken for each other")
def confusion(job_id: JobId, services: ServicesDep, checkpoint: Named = None) -> Any:
    """`matrix[label][predicted]`, counts on the test split."""
    found = _of_classes(services, job_id)
    chosen = _named([row for row, _ in found], checkpoint) if checkpoint else found[0][0]
    data = next(one["data"] for row, one in found if row["id"] == chosen["id"])
    shown = {
        "object": "confusion",
        "checkpoint": chosen["id"],
        "name": name_of(chosen),
        "classes": data["classes"],
        "matrix": data["confusion"],
    }
    return json_answer(shown)


@router.get("/artifacts", summary="The files of results")
def artifacts(
    job_id: JobId,
    services: ServicesDep,
    limit: Limit = 20,
    after: Annotated[str | None, Query(max_length=255)] = None,
) -> Any:
    """By name; `after` is a name."""
    rows = [row for row in _artifacts(services, job_id) if after is None or row["name"] > after]
    shown = [
        {
            "id": row["id"],
            "object": "artifact",
            "name": row["name"],
            "media_type": row["media_type"],
            "bytes": row["bytes"],
            "sha256": row["sha256"],
            "created_at": rfc3339(row["created_at"]),
            "download": f"/v1/jobs/{job_id}/artifacts/{row['id']}/download",
        }
        for row in rows[:limit]
    ]
    return json_answer(list_of(shown, has_more=len(rows) > limit))


@router.get(
    "/artifacts/{artifact}/download", summary="One file of results", response_class=FileResponse
)
def artifact(job_id: JobId, artifact: str, request: Request, services: ServicesDep) -> Response:
    """By id or name; always as an attachment."""
    rows = _artifacts(services, job_id)
    row = next((row for row in rows if artifact in {row["id"], row["name"]}), None)
    if row is None:
        raise NotFound("The job has no such artifact; /artifacts lists what there is.")
    path = services.storage.path(row["path"])
    return _file(
        request,
        path=str(path),
        media_type="application/octet-stream",
        filename=row["name"],
        sha256=row["sha256"],
    )


def _file(request: Request, *, path: str, media_type: str, filename: str, sha256: str) -> Response:
    """A file as an attachment, with ranges, named by its digest for caches and `If-Range`."""
    if request.headers.get("range", "").count(",") >= MOST_RANGES:
        raise RangeNotSatisfiable(f"At most {MOST_RANGES} ranges are served at once.")
    return FileResponse(
        path, media_type=media_type, filename=filename, headers={"ETag": f'"{sha256}"'}
    )


def _checkpoints(services: Services, job_id: str) -> list[dict[str, Any]]:
    with services.database.read() as connection:
        if reading.get(connection, job_id) is None:
            raise NotFound(f"There is no job {job_id}.")
        rows = reading.checkpoints(connection, job_id)
    return [row for row in rows if row["kind"] != "previous"]


def _artifacts(services: Services, job_id: str) -> list[dict[str, Any]]:
    with services.database.read() as connection:
        if reading.get(connection, job_id) is None:
            raise NotFound(f"There is no job {job_id}.")
        return reading.artifacts(connection, job_id)


def _named(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The checkpoint of this id or name."""
    found = find(rows, name)
    if found is None:
        raise NotFound(f"The job has no such checkpoint; there are {names(rows)}.")
    return found


def _evaluated(services: Services, job_id: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Evaluated checkpoints with their evaluations: the best ones first, then the last."""
    rows = {row["id"]: row for row in _checkpoints(services, job_id)}
    with services.database.read() as connection:
        found = reading.evaluations(connection, job_id)
    if not found:
        raise Conflict(
            "The job has no test results yet: they come at its end, from its best checkpoints."
        )
    pairs = [(rows[one["checkpoint_id"]], one) for one in found if one["checkpoint_id"] in rows]
    return sorted(pairs, key=lambda pair: (pair[0]["kind"] != "best", pair[0]["id"]))


def _of_classes(services: Services, job_id: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The same, where there are classes that can be right or taken for each other."""
    found = _evaluated(services, job_id)
    if "confusion" not in found[0][1]["data"]:
        raise Conflict(
            "The job asks for a number, so there are no classes to rank or confuse: its errors "
            "are among its metrics, and its predictions among its artifacts."
        )
    return found


def _accuracies(row: dict[str, Any], evaluation: dict[str, Any]) -> dict[str, Any]:
    data = evaluation["data"]
    kept = ("loss", "accuracy", "top_k", "per_class", "mistakes")
    return {
        "checkpoint": row["id"],
        "name": name_of(row),
        "epoch": row["epoch"],
        "split": evaluation["split"],
        **{name: data[name] for name in kept},
    }


def _sample(one: Prediction, classes: list[str]) -> dict[str, Any]:
    return {
        "sample": one.sample,
        "label": one.label,
        "label_name": classes[one.label],
        "right": one.classes[0] == one.label,
        "classes": [
            {"class": number, "name": classes[number], "probability": probability}
            for number, probability in zip(one.classes, one.probabilities, strict=True)
        ],
    }
