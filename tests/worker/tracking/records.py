"""A finished job with its checkpoints' files, as tracking reads it from the database."""

from datetime import UTC, datetime
from typing import Any

from shared.storage import WEIGHTS, Storage

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
JOB: dict[str, Any] = {
    "id": "job_1",
    "name": "",
    "owner": "admin",
    "state": "succeeded",
    "failure": None,
    "tags": {},
    "spec": {"seed": 3, "architecture": {"name": "mlp"}},
    "created_at": AT,
    "started_at": AT,
    "finished_at": AT,
}


def checkpoint(storage: Storage, kind: str, step: int, *, monitor: str | None = None) -> Any:
    """A checkpoint's row and its file; the file says which step it is of."""
    directory = storage.attempt(JOB["id"], 1) / f"step-{step}"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / WEIGHTS).write_text(f"weights of step {step}")
    return {
        "id": f"ckpt_{kind}",
        "job_id": JOB["id"],
        "kind": kind,
        "monitor": monitor,
        "directory": storage.relative(directory),
        "stage": "training",
        "epoch": step // 10,
        "step": step,
        "bytes": 18,
        "sha256": "0" * 64,
    }


def checkpoints(storage: Storage) -> list[dict[str, Any]]:
    """The best by its loss, the last, and what is kept only for safety."""
    return [
        checkpoint(storage, "best", 20, monitor="val_loss"),
        checkpoint(storage, "previous", 30),
        checkpoint(storage, "last", 40),
    ]


def evaluation(row: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint reaches on the test split."""
    return {"checkpoint_id": row["id"], "data": {"top_k": {"1": 0.5}}}
