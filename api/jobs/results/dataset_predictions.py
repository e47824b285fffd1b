"""Predictions for a whole data set, as a CSV file among the artifacts of the job."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api.http.faults import abbreviated
from api.http.responses import json_response
from api.http.schemas import Count
from api.jobs.admission.dataset import facts_of
from api.jobs.results.artifacts import Artifact, artifact_json
from api.jobs.results.refusals import as_conflict
from api.services.container import Services
from api.services.principal import Principal
from shared.clock import now
from shared.columns import is_table
from shared.datasets import FACTS, DatasetFacts, is_available
from shared.errors import BadRequest, DatasetMissing, Fault, InvalidSpec
from shared.ids import new_id
from shared.jobs.checkpoint_names import checkpoint_name
from shared.jobs.recording import NewArtifact, put_artifact
from shared.jobs.rows import ArtifactRow, CheckpointRow, JobRow
from shared.storage import WEIGHTS

SPLITS = ("train", "validation", "test")
ALL = "all"
CSV = "text/csv"


class DatasetPredictions(BaseModel):
    """How far the predictions for a data set are; the same request again continues them."""

    object: Literal["dataset_predictions"]
    checkpoint: str = Field(description="The name of the checkpoint that predicts")
    dataset: str
    split: Literal["train", "validation", "test", "all"]
    samples: Count
    done: Count
    artifact: Artifact | None = Field(description="The CSV file; null until all are done")


@dataclass(frozen=True)
class Target:
    """What is predicted."""

    #: As the sidecar takes it.
    dataset: dict[str, Any]
    split: str
    #: The first sample and the last + 1; None for a split that the job has drawn.
    range: tuple[int, int] | None


async def predict_dataset(
    services: Services, principal: Principal, job: JobRow, row: CheckpointRow, body: Any
) -> Response:
    """Predict for some seconds; 202 while samples are left, 200 with the artifact at the end.

    Args:
        services: The services.
        principal: Who requests it.
        job: The job.
        row: The checkpoint that predicts.
        body: `{"dataset": …, "split": …}`.

    Raises:
        InvalidSpec: With the faults of the body.
        DatasetMissing: The data set is not on this box.
        Unavailable: The sidecar is busy.
    """
    target = await run_in_threadpool(_read_target, services, principal, job, body)
    name = f"predictions-{target.dataset['name']}-{target.split}-{checkpoint_name(row)}.csv"
    file = services.storage.relative(services.storage.results(job.id) / name)
    fields = {
        "weights": f"{row.directory}/{WEIGHTS}",
        "sha256": row.sha256,
        "top_k": max(job.spec["metrics"]["top_k"] or [1]),
        "file": file,
        "dataset": target.dataset,
        "split": target.split,
        "range": target.range,
        "seed": job.spec["seed"],
        "is_number": services.methods.task(job.spec["loss"]["name"]) == "regression",
    }
    try:
        progress = await services.sidecar.send_long("predict_dataset", fields)
    except InvalidSpec as error:
        raise as_conflict(error) from error
    artifact = None
    if "sha256" in progress:
        artifact = NewArtifact(
            id=new_id("artifact"),
            name=name,
            path=file,
            media_type=CSV,
            bytes=progress["bytes"],
            sha256=progress["sha256"],
            created_at=now(),
        )
        artifact = await run_in_threadpool(_record, services, principal, job.id, artifact)
    response = {
        "object": "dataset_predictions",
        "checkpoint": checkpoint_name(row),
        "dataset": target.dataset["name"],
        "split": target.split,
        "samples": progress["samples"],
        "done": progress["done"],
        "artifact": None if artifact is None else artifact_json(artifact),
    }
    return json_response(response, status=202 if artifact is None else 200)


def _record(
    services: Services, principal: Principal, job_id: str, artifact: NewArtifact
) -> ArtifactRow:
    with services.change(principal, "job.predict", job_id) as connection:
        return put_artifact(connection, job_id, artifact)


def _read_target(
    services: Services, principal: Principal, job: JobRow, body: dict[str, Any]
) -> Target:
    """Check the body.

    Raises:
        BadRequest: It has other fields.
        InvalidSpec: With its faults.
        DatasetMissing: The data set is not on this box.
    """
    if not set(body) <= {"dataset", "split"}:
        raise BadRequest('The body must be {"dataset": name, "split": name}; `split` is optional.')
    name, split, own = body["dataset"], body.get("split"), job.spec["dataset"]
    if not isinstance(name, str):
        raise _fault("dataset", f"is {abbreviated(name)}; it must be the name of a data set")
    if split not in (None, *SPLITS, ALL):
        text = f"is {abbreviated(split)}; it must be {', '.join(SPLITS)} or {ALL}"
        raise _fault("split", text)
    read = _own_table if is_table(own) else partial(_images, services, principal)
    return read(own, name, split)


def _images(
    services: Services, principal: Principal, own: dict[str, Any], name: str, split: str | None
) -> Target:
    facts, faults = facts_of(name, services.database, principal)
    if facts is None:
        raise _fault("dataset", faults[0].detail)
    if facts.kind == "table":
        raise _fault("dataset", f"{facts.name} is a table, but the job was trained on images")
    if name in FACTS and not is_available(name, services.settings.home):
        raise DatasetMissing(
            f"{name} is not on this box yet; the first job that uses it fetches it."
        )
    hashes = {None, "", own.get("content_hash")}
    is_own = facts.name == own["name"] and facts.content_hash in hashes
    if is_own and split != ALL:
        return Target(own, split or "test", None)
    if is_own and (facts.synthetic or own.get("target")):
        raise _fault("split", f"is {ALL}; of this job it must be {', '.join(SPLITS)}")
    if facts.synthetic:
        text = f"is {facts.name}, whose images are made for each job; only its jobs can predict it"
        raise _fault("dataset", text)
    dataset = {key: own.get(key) for key in ("image_size", "channels", "resize")}
    dataset |= {"name": facts.name, "content_hash": facts.content_hash or None}
    return Target(dataset, split or ALL, _range(facts, split or ALL))


def _own_table(own: dict[str, Any], name: str, split: str | None) -> Target:
    if name not in {own["name"], own["name"].partition("@")[0]}:
        text = f'the job was trained on {own["name"]}; send the rows of another table as {{"rows"}}'
        raise _fault("dataset", text)
    if split == ALL:
        raise _fault("split", f"is {ALL}; of a table it must be {', '.join(SPLITS)}")
    return Target(own, split or "test", None)


def _range(facts: DatasetFacts, split: str) -> tuple[int, int]:
    """Return where a split of the data set itself lies in it."""
    end_of_train, end = facts.train, facts.train + facts.validation + facts.test
    ranges = {
        ALL: (0, end),
        "train": (0, end_of_train),
        "validation": (end_of_train, end - facts.test),
        "test": (end - facts.test, end),
    }
    first, stop = ranges[split]
    if first == stop:
        raise _fault("split", f"{facts.name} has no {split} split of its own; use {ALL}")
    return first, stop


def _fault(field: str, text: str) -> InvalidSpec:
    return InvalidSpec([Fault(f"/{field}", text)], subject="request")
