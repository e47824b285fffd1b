"""A finished job with its files, as tracking reads it from the database."""

from shared.jobs.rows import ArtifactRow, CheckpointRow, EvaluationRow
from shared.storage import WEIGHTS, Storage
from tests.shared.rows import AT, attempt_row, checkpoint_row, evaluation_row, job_row

JOB = job_row(
    state="succeeded",
    reason="completed",
    spec={"seed": 3, "dataset": {"name": "digits"}},
    result={"stages": {"training": {"text": "finished all 2 epochs"}}},
    started_at=AT,
    finished_at=AT,
)
HASH = f"sha256:{'ab' * 32}"
DATA = {"name": "digits", "content_hash": HASH, "train": 1200, "validation": 200, "test": 397}
#: The second attempt failed before it read its data.
ATTEMPTS = [attempt_row(fingerprint={"dataset": DATA}), attempt_row(number=2)]


def checkpoint(
    storage: Storage, kind: str, step: int, *, monitor: str | None = None
) -> CheckpointRow:
    """Return a checkpoint's row after writing its file, which names its step."""
    directory = storage.attempt(JOB.id, 1) / f"step-{step}"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / WEIGHTS).write_text(f"weights of step {step}")
    return checkpoint_row(
        kind,
        step,
        monitor,
        id=f"ckpt_{kind}",
        directory=storage.relative(directory),
        epoch=step // 10,
        bytes=18,
    )


def checkpoints(storage: Storage) -> list[CheckpointRow]:
    """Return the best checkpoint by its loss, the previous and the last."""
    return [
        checkpoint(storage, "best", 20, monitor="val_loss"),
        checkpoint(storage, "previous", 30),
        checkpoint(storage, "last", 40),
    ]


def evaluation(row: CheckpointRow) -> EvaluationRow:
    """Return the evaluation of a checkpoint on the test split."""
    return evaluation_row(row.id, {"top_k": {"1": 0.5}})


def confusion(storage: Storage) -> ArtifactRow:
    """Return the row of a confusion matrix after writing its file."""
    name = "confusion-best_val_loss.csv"
    path = storage.results(JOB.id) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("label,0,1\n0,5,1\n1,0,6\n")
    return ArtifactRow(
        id="artifact_1",
        job_id=JOB.id,
        name=name,
        path=storage.relative(path),
        media_type="text/csv",
        bytes=path.stat().st_size,
        sha256="0" * 64,
        created_at=AT,
    )
