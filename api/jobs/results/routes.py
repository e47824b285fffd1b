"""What came out of a job: checkpoints and their files, top-k, confusion, artifacts."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response

from api.deps import JobId, ServicesDep
from api.http.files import file_answer
from api.http.requests import check_cursor
from api.http.responses import json_answer, list_of
from api.http.schemas import FILE, ListOf
from api.jobs import rendering
from api.jobs.results.evaluations import addressed, chosen_of, kept, of_classes
from api.jobs.results.schemas import Artifact, Checkpoint, Confusion, TopK
from api.services import Services
from shared import predictions
from shared.clock import rfc3339
from shared.errors import NotFound
from shared.jobs import queries
from shared.jobs.checkpoint_names import checkpoint_name
from shared.jobs.rows import ArtifactRow, CheckpointRow, EvaluationRow
from shared.json_numbers import json_number
from shared.predictions import Prediction
from shared.storage import WEIGHTS

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"])

Limit = Annotated[int, Query(ge=1, le=100)]
Named = Annotated[str | None, Query(max_length=100, description="an id, last, or best_<monitor>")]


@router.get(
    "/checkpoints",
    summary="The checkpoints that are kept",
    responses={200: {"model": ListOf[Checkpoint]}},
)
def checkpoints(
    job_id: JobId,
    services: ServicesDep,
    limit: Limit = 20,
    after: Annotated[str | None, Query(max_length=40)] = None,
) -> Any:
    """Oldest first; `after` is an id."""
    check_cursor(after, "ckpt")
    rows = [row for row in kept(services, job_id) if after is None or row.id > after]
    shown = [rendering.checkpoint(row) for row in rows[:limit]]
    return json_answer(list_of(shown, has_more=len(rows) > limit))


@router.head("/checkpoints/{checkpoint}/download", include_in_schema=False)
@router.get(
    "/checkpoints/{checkpoint}/download",
    summary="The weights, as safetensors; ranges are served",
    response_class=FileResponse,
    responses=FILE,
)
def download(job_id: JobId, checkpoint: str, request: Request, services: ServicesDep) -> Response:
    """`checkpoint` is an id, `last`, `initial` or `best_<monitor>`; `If-None-Match` is heard.

    The id of what was `last` stays good for as long as its file is there.
    """
    row = addressed(services, job_id, checkpoint)
    path = services.storage.path(f"{row.directory}/{WEIGHTS}")
    filename = f"{job_id}-{checkpoint_name(row)}.safetensors"
    return file_answer(request, path, filename=filename, sha256=row.sha256)


@router.get(
    "/top-k",
    summary="Top-k accuracies on the test split, and what is said of samples",
    responses={200: {"model": TopK}},
)
def top_k(
    job_id: JobId,
    services: ServicesDep,
    checkpoint: Named = None,
    sample: Annotated[
        list[int] | None,
        Query(max_length=100, description="of the data set; all of them, whatever the page"),
    ] = None,
    after: Annotated[int, Query(ge=0, le=2**31, description="samples passed over")] = 0,
    limit: Limit = 20,
) -> Any:
    """For every evaluated checkpoint its accuracies; the samples are those of one of them.

    `checkpoints` has for each of them the loss, `top_k` (the fraction of samples whose label is
    among the k highest scores, by k), `per_class` (how many samples of each class there are, and
    the fraction of them that is right) and `mistakes`: the wrong samples that it is most sure of.
    `samples` are those of `checkpoint`: unless asked otherwise the best one by the first monitor
    of the specification, else the last. Each has its label, whether the answer is right, and the
    most probable classes. A label that ties with others comes first and counts as right; a
    sample with a score that is not finite is wrong.
    """
    found = of_classes(services, job_id)
    chosen, evaluation = chosen_of(found, checkpoint)
    path = services.storage.path(evaluation.predictions)
    if sample is None:
        predicted = predictions.read(path, first=after, limit=limit + 1)
        has_more = len(predicted) > limit
        predicted = predicted[:limit]
    else:
        predicted, has_more = _picked(path, sample), False
    classes = evaluation.data["classes"]
    shown = [_sample(one, classes) for one in predicted]
    samples = {"checkpoint": chosen.id, **list_of(shown, has_more=has_more)}
    accuracies = [_accuracies(row, one) for row, one in found.pairs]
    return json_answer({"object": "top_k", "checkpoints": accuracies, "samples": samples})


@router.get(
    "/confusion",
    summary="How often each class was taken for each other",
    responses={200: {"model": Confusion}},
)
def confusion(job_id: JobId, services: ServicesDep, checkpoint: Named = None) -> Any:
    """`matrix[label][predicted]`, counts on the test split.

    The checkpoint is the one of `/top-k`. A label that ties for the first place is what was
    predicted; a sample with a score that is not finite is taken for no class and not counted.
    """
    chosen, evaluation = chosen_of(of_classes(services, job_id), checkpoint)
    data = evaluation.data
    shown = {
        "object": "confusion",
        "checkpoint": chosen.id,
        "name": checkpoint_name(chosen),
        "classes": data["classes"],
        "matrix": data["confusion"],
    }
    return json_answer(shown)


@router.get(
    "/artifacts", summary="The files of results", responses={200: {"model": ListOf[Artifact]}}
)
def artifacts(
    job_id: JobId,
    services: ServicesDep,
    limit: Limit = 20,
    after: Annotated[str | None, Query(max_length=255)] = None,
) -> Any:
    """By name; `after` is a name."""
    rows = [row for row in _artifacts(services, job_id) if after is None or row.name > after]
    shown = [
        {
            "id": row.id,
            "object": "artifact",
            "name": row.name,
            "media_type": row.media_type,
            "bytes": row.bytes,
            "sha256": row.sha256,
            "created_at": rfc3339(row.created_at),
            "download": f"/v1/jobs/{job_id}/artifacts/{row.id}/download",
        }
        for row in rows[:limit]
    ]
    return json_answer(list_of(shown, has_more=len(rows) > limit))


@router.head("/artifacts/{artifact}/download", include_in_schema=False)
@router.get(
    "/artifacts/{artifact}/download",
    summary="One file of results",
    response_class=FileResponse,
    responses=FILE,
)
def artifact(job_id: JobId, artifact: str, request: Request, services: ServicesDep) -> Response:
    """By id or name; always as an attachment. `If-None-Match` and ranges are heard."""
    rows = _artifacts(services, job_id)
    row = next((row for row in rows if artifact in {row.id, row.name}), None)
    if row is None:
        raise NotFound("The job has no such artifact; /artifacts lists what there is.")
    path = services.storage.path(row.path)
    return file_answer(request, path, filename=row.name, sha256=row.sha256)


def _artifacts(services: Services, job_id: str) -> list[ArtifactRow]:
    with services.database.read() as connection:
        if queries.get_job(connection, job_id) is None:
            raise NotFound(f"There is no job {job_id}.")
        return queries.list_artifacts(connection, job_id)


def _picked(path: Path, samples: list[int]) -> list[Prediction]:
    """The predictions of these samples, all of which the test split has."""
    found = predictions.read_samples(path, set(samples))
    absent = sorted(set(samples) - {one.sample for one in found})
    if absent:
        raise NotFound(
            f"The test split has no sample {', '.join(map(str, absent))}; without `sample` this "
            "address lists those that it has.",
            samples=absent,
        )
    return found


def _accuracies(row: CheckpointRow, evaluation: EvaluationRow) -> dict[str, Any]:
    data = evaluation.data
    shown = ("loss", "accuracy", "top_k", "per_class", "mistakes")
    return {
        "checkpoint": row.id,
        "name": checkpoint_name(row),
        "epoch": row.epoch,
        "split": evaluation.split,
        **{name: data[name] for name in shown},
    }


def _sample(one: Prediction, classes: list[str]) -> dict[str, Any]:
    return {
        "sample": one.sample,
        "label": one.label,
        "label_name": classes[one.label],
        "right": one.is_right,
        "classes": [
            {"class": number, "name": classes[number], "probability": json_number(probability)}
            for number, probability in zip(one.classes, one.probabilities, strict=True)
        ],
    }
