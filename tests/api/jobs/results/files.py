"""The files and test results of checkpoints, as a worker would store them."""

import hashlib
from dataclasses import replace
from typing import Any

from shared import predictions
from shared.ids import new_id
from shared.jobs.attempts import Lease
from shared.jobs.recording import NewArtifact, NewCheckpoint, NewEvaluation
from shared.predictions import Prediction
from shared.storage import WEIGHTS
from tests.api.service import RECORDED_AT, Service

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def with_file(service: Service, lease: Lease, row: NewCheckpoint) -> NewCheckpoint:
    """Write the file of a checkpoint; return the row with its facts."""
    directory = service.storage.attempt(lease.job_id, 1) / f"step-{row.step}"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / WEIGHTS).write_bytes(CONTENT)
    relative = service.storage.relative(directory)
    return replace(row, directory=relative, sha256=SHA256, bytes=len(CONTENT))


def artifact_of(
    service: Service, lease: Lease, name: str, media_type: str, content: bytes = CONTENT
) -> NewArtifact:
    """Write a result file; return its row."""
    artifact_id = new_id("artifact")
    path = service.storage.results(lease.job_id) / artifact_id
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return NewArtifact(
        id=artifact_id,
        name=name,
        path=service.storage.relative(path),
        media_type=media_type,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        created_at=RECORDED_AT,
    )


def evaluation_data(wrong: int = 0, **changes: Any) -> dict[str, Any]:
    """Return the test results of a checkpoint, with so many wrong samples of the first class."""
    data = {"loss": 0.5, "data_loss": 0.4, "accuracy": 0.9, "top_k": {"1": 0.9, "2": 1.0}}
    data["per_class"] = []
    data |= {"mistakes": [], "classes": ["cat", "dog"], "confusion": [[3, wrong], [0, 4]]}
    return {**data, **changes}


def evaluate(
    service: Service, lease: Lease, names: tuple[str, ...] = ("last", "best_val_loss")
) -> None:
    """Record test results for the checkpoints with these names."""
    listed = service.client.get(f"/v1/jobs/{lease.job_id}/checkpoints").json()["data"]
    ids = {checkpoint["name"]: checkpoint["id"] for checkpoint in listed}
    rows = []
    for name in names:
        label = int(name == "last")
        path = service.storage.results(lease.job_id) / f"{name}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = [Prediction(n, label, (0, 1), (0.75, 0.25)) for n in range(100, 130)]
        predictions.write(path, samples)
        rows.append(
            NewEvaluation(
                checkpoint_id=ids[name],
                split="test",
                data=evaluation_data(wrong=label),
                predictions=service.storage.relative(path),
            )
        )
    service.record(lease, evaluations=rows)
