"""A job's row as the API shows it, in part where it cannot be read."""

from math import isfinite
from typing import Any

from api.jobs.unreadable import mark_unreadable
from shared.clock import rfc3339
from shared.jobs.ending import ending
from shared.jobs.read_box import remaining_of
from shared.jobs.rows import AttemptRow, JobRow
from shared.states import FINAL, PRIORITY_NAMES

Json = dict[str, Any]


def etag(row: JobRow, queue_position: int | None) -> str:
    """Return an ETag that changes whenever the job's JSON changes."""
    return f'"{row.revision}-{row.beat or 0}-{queue_position or 0}"'


def job_json(
    row: JobRow, *, queue_position: int | None, attempts: list[AttemptRow] | None = None
) -> Json:
    """Return a job; without `attempts`, as in lists, that field is left out.

    Of a damaged row, what can be read is returned and the rest is null.
    """
    job: Json = {
        "id": row.id,
        "object": "job",
        "kind": row.kind,
        "name": row.name,
        "owner": row.owner,
        "state": row.state,
        "phase": row.phase,
        "reason": row.reason,
        "priority": PRIORITY_NAMES.get(row.priority, row.priority),
        "tags": row.tags,
        "notes": row.notes,
        "spec": row.spec,
        "warnings": row.warnings,
        "findings": row.findings,
        "headline": row.headline,
        "created_at": rfc3339(row.created_at),
        "started_at": rfc3339(row.started_at),
        "finished_at": rfc3339(row.finished_at),
        "queue_position": queue_position,
        "cancel_requested_at": rfc3339(row.cancel_requested_at),
        "pause_requested_at": rfc3339(row.pause_requested_at),
        "progress": _progress(row),
        "metrics": row.metrics,
        "best": row.best,
        "result": row.result,
        "failure": row.failure,
        "ending": ending(row.state, result=row.result, failure=row.failure, progress=row.progress),
        "attempt": row.attempt,
        "retry_of": row.retry_of,
        "forked_from": row.forked_from,
        "device": row.device,
        "devices": _devices(row),
        "mlflow_run_id": row.mlflow_run_id,
        "links": _links(row),
    }
    mark_unreadable(job, row)
    if attempts is not None:
        job["attempts"] = [_attempt_json(attempt) for attempt in attempts]
    return job


def _links(row: JobRow) -> dict[str, str]:
    address = f"/v1/jobs/{row.id}"
    links = {
        "self": address,
        "events": f"{address}/events",
        "metrics": f"{address}/metrics",
        "checkpoints": f"{address}/checkpoints",
        "top_k": f"{address}/top-k",
        "confusion": f"{address}/confusion",
        "logs": f"{address}/logs",
        "artifacts": f"{address}/artifacts",
        "analyses": f"{address}/analyses",
        "findings": f"{address}/findings",
    }
    tracking = row.spec.get("tracking")
    if isinstance(tracking, dict) and tracking.get("tensorboard"):
        links["tensorboard"] = f"{address}/tensorboard"
    if row.retry_of is not None:
        links["retry_of"] = f"/v1/jobs/{row.retry_of}"
    if row.forked_from is not None:
        links["forked_from"] = f"/v1/jobs/{row.forked_from}"
    return links


def _progress(row: JobRow) -> Json | None:
    """Return the progress; at the end it comes from the result, which is newer than a heartbeat."""
    progress, result = row.progress, row.result or {}
    if row.state not in FINAL:
        return None if progress is None else _with_eta(row, progress)
    if row.state != "succeeded":
        return None if progress is None else {**progress, "eta_seconds": None}
    stages = result.get("stages")
    if not isinstance(stages, dict) or not {"epochs", "steps"} <= result.keys():
        return progress
    last = {"stage": None, "images_per_second": None, **(progress or {})}
    # After early stopping the job is complete too: no steps are left.
    return {
        "stage": next(reversed(stages), last["stage"]),
        "epoch": result["epochs"],
        "epochs": result["epochs"],
        "step": result["steps"],
        "steps": result["steps"],
        "fraction": 1.0,
        "images_per_second": last["images_per_second"],
        "eta_seconds": 0.0,
    }


def _with_eta(row: JobRow, progress: Json) -> Json:
    """Add the time that is left in 9 of 10 cases, which its time limit can make the shorter."""
    p50, p90 = progress.get("eta_seconds"), _eta_p90(row)
    if isinstance(p50, float | int) and p90 is not None and p50 > p90:
        p50 = p90
    return {**progress, "eta_seconds": p50, "eta_seconds_p90": p90}


def _eta_p90(row: JobRow) -> float | None:
    """Return how long a running job takes at most in 9 of 10 cases; None while it waits."""
    if row.state != "running":
        return None
    elapsed = 0.0
    if row.started_at is not None and row.heartbeat_at is not None:
        elapsed = (row.heartbeat_at - row.started_at).total_seconds()
    seconds = remaining_of(row, elapsed, used=0.0).p90
    return round(seconds, 1) if isfinite(seconds) else None


def _devices(row: JobRow | AttemptRow) -> list[str]:
    """Return all devices; of a row of before several were recorded, the first."""
    if row.devices is not None:
        return row.devices
    return [] if row.device is None else [row.device]


def _attempt_json(row: AttemptRow) -> Json:
    return {
        "number": row.number,
        "worker": row.worker,
        "device": row.device,
        "devices": _devices(row),
        "started_at": rfc3339(row.started_at),
        "ended_at": rfc3339(row.ended_at),
        "outcome": row.outcome,
        "exit_code": row.exit_code,
        "first_step": row.first_step,
        "switch_seconds": row.switch_seconds,
    }
