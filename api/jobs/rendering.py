"""How a job looks outside."""

from typing import Any

from shared.clock import rfc3339
from shared.jobs.checkpoint_names import checkpoint_name
from shared.jobs.rows import AttemptRow, CheckpointRow, EventRow, JobRow
from shared.json_numbers import json_number
from shared.states import FINAL, PRIORITY_NAMES

Shown = dict[str, Any]


def etag(row: JobRow, position: int | None) -> str:
    """Changes with everything that a job shows."""
    return f'"{row.revision}-{row.beat or 0}-{position or 0}"'


def job(row: JobRow, *, position: int | None, attempts: list[AttemptRow] | None = None) -> Shown:
    """A job as the API gives it; a list leaves its attempts out."""
    job_id = row.id
    at = f"/v1/jobs/{job_id}"
    shown: Shown = {
        "id": job_id,
        "object": "job",
        "name": row.name,
        "owner": row.owner,
        "state": row.state,
        "phase": row.phase,
        "reason": row.reason,
        "priority": PRIORITY_NAMES.get(row.priority, row.priority),
        "tags": row.tags,
        "notes": row.notes,
        "spec": row.spec,
        "created_at": rfc3339(row.created_at),
        "started_at": rfc3339(row.started_at),
        "finished_at": rfc3339(row.finished_at),
        "queue_position": position,
        "cancel_requested_at": rfc3339(row.cancel_requested_at),
        "pause_requested_at": rfc3339(row.pause_requested_at),
        "progress": _progress(row),
        "metrics": row.metrics,
        "best": row.best,
        "result": row.result,
        "failure": row.failure,
        "attempt": row.attempt,
        "retry_of": row.retry_of,
        "device": row.device,
        "mlflow_run_id": row.mlflow_run_id,
        "links": _links(row, at),
    }
    if attempts is not None:
        shown["attempts"] = [_attempt(one) for one in attempts]
    return shown


def _links(row: JobRow, at: str) -> dict[str, str]:
    links = {
        "self": at,
        "events": f"{at}/events",
        "metrics": f"{at}/metrics",
        "checkpoints": f"{at}/checkpoints",
        "top_k": f"{at}/top-k",
        "confusion": f"{at}/confusion",
        "logs": f"{at}/logs",
        "artifacts": f"{at}/artifacts",
    }
    if (row.spec.get("tracking") or {}).get("tensorboard"):
        links["tensorboard"] = f"{at}/tensorboard"
    if row.retry_of is not None:
        links["retry_of"] = f"/v1/jobs/{row.retry_of}"
    return links


def _progress(row: JobRow) -> Shown | None:
    """How far the job is. The last heartbeat came before the end, so the end is told by result."""
    shown, result = row.progress, row.result or {}
    if row.state not in FINAL:
        return shown
    if row.state != "succeeded":
        return None if shown is None else {**shown, "eta_seconds": None}
    if "steps" not in result:
        return shown
    known = shown or {"stage": None, "images_per_second": None}
    # A training that stopped early is done as well: no step is left.
    return {
        "stage": next(reversed(result["stages"]), known["stage"]),
        "epoch": result["epochs"],
        "epochs": result["epochs"],
        "step": result["steps"],
        "steps": result["steps"],
        "fraction": 1.0,
        "images_per_second": known["images_per_second"],
        "eta_seconds": 0.0,
    }


def _attempt(row: AttemptRow) -> Shown:
    return {
        "number": row.number,
        "worker": row.worker,
        "device": row.device,
        "started_at": rfc3339(row.started_at),
        "ended_at": rfc3339(row.ended_at),
        "outcome": row.outcome,
        "exit_code": row.exit_code,
        "first_step": row.first_step,
    }


def event(row: EventRow) -> Shown:
    """An event as the API gives it; its number is its place in the list."""
    return {
        "id": row.number,
        "object": "event",
        "type": row.type,
        "at": rfc3339(row.at),
        "data": row.data,
    }


def checkpoint(row: CheckpointRow) -> Shown:
    """A checkpoint as the API gives it."""
    value = json_number(row.value) if row.kind == "best" else None
    return {
        "id": row.id,
        "object": "checkpoint",
        "name": checkpoint_name(row),
        "monitor": row.monitor,
        "mode": row.mode,
        "value": value,
        "stage": row.stage,
        "epoch": row.epoch,
        "step": row.step,
        "bytes": row.bytes,
        "sha256": row.sha256,
        "created_at": rfc3339(row.created_at),
        "download": f"/v1/jobs/{row.job_id}/checkpoints/{row.id}/download",
    }
