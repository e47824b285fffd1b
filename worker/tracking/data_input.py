"""The data of a job as the input of its run."""

from typing import Any

import orjson
from mlflow.entities import Dataset, DatasetInput, InputTag

from shared.jobs.rows import JobRow

#: MLflow's limit is 36 characters.
DIGEST_LENGTH = 32
#: MLflow's name for the tag by which its pages show what the data is for.
CONTEXT_TAG = "mlflow.data.context"


def data_input(job: JobRow) -> DatasetInput | None:
    """Return the data of a job; None before its content hash is known.

    It is known from the start for a table, and from the end of the training for other data sets.
    MLflow has one entry for all runs with the same name and digest, so that the sizes of the splits
    are tags of this run's input.
    """
    spec = job.spec.get("dataset", {})
    used: dict[str, Any] = (job.result or {}).get("dataset", {})
    content_hash = used.get("content_hash") or spec.get("content_hash")
    if not content_hash:
        return None
    name = spec.get("file") or used.get("name") or job.dataset
    dataset = Dataset(
        name=name,
        digest=content_hash.removeprefix("sha256:")[:DIGEST_LENGTH],
        source_type="trainshed",
        source=orjson.dumps({"uri": f"/v1/datasets/{job.dataset}", "name": name}).decode(),
        profile=orjson.dumps({"content_hash": content_hash}).decode(),
    )
    sizes = {split: used[split] for split in ("train", "validation", "test") if split in used}
    tags = {CONTEXT_TAG: "training"} | {split: str(size) for split, size in sizes.items()}
    return DatasetInput(dataset, [InputTag(key, value) for key, value in tags.items()])
