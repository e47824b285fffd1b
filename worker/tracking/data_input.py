"""The data of a job as the input of its run."""

import orjson
from mlflow.entities import Dataset, DatasetInput, InputTag

from shared.jobs.rows import AttemptRow, JobRow

#: MLflow's limit is 36 characters.
DIGEST_LENGTH = 32
#: MLflow's name for the tag by which its pages show what the data is for.
CONTEXT_TAG = "mlflow.data.context"


def data_input(job: JobRow, attempts: list[AttemptRow]) -> DatasetInput | None:
    """Return the data of a job; None before an attempt has read it.

    MLflow has one entry for all runs with the same name and digest, so that the sizes of the splits
    are tags of this run's input.

    Args:
        job: the job.
        attempts: of the job, oldest first.
    """
    fingerprints = (row.fingerprint or {} for row in reversed(attempts))
    data = next(
        (fingerprint["dataset"] for fingerprint in fingerprints if "dataset" in fingerprint), None
    )
    if data is None:
        return None
    content_hash = data["content_hash"]
    name = job.spec.get("dataset", {}).get("file") or data["name"]
    dataset = Dataset(
        name=name,
        digest=content_hash.removeprefix("sha256:")[:DIGEST_LENGTH],
        source_type="trainshed",
        source=orjson.dumps({"uri": f"/v1/datasets/{job.dataset}", "name": name}).decode(),
        profile=orjson.dumps({"content_hash": content_hash}).decode(),
    )
    tags = {CONTEXT_TAG: "training"}
    tags |= {split: str(data[split]) for split in ("train", "validation", "test")}
    return DatasetInput(dataset, [InputTag(key, value) for key, value in tags.items()])
