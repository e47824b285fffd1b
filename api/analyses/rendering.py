"""An analysis as the API shows it: its own row, and its row among the jobs."""

from typing import Any

from shared.clock import rfc3339
from shared.jobs.analyses import AnalysisRow
from shared.jobs.rows import ArtifactRow, JobRow

Json = dict[str, Any]


def analysis_json(
    row: AnalysisRow, job: JobRow, artifacts: list[ArtifactRow], *, queue_position: int | None
) -> Json:
    """Return an analysis.

    Args:
        row: what is analysed.
        job: its row among the jobs.
        artifacts: its files.
        queue_position: while it waits.
    """
    address = f"/v1/analyses/{row.id}"
    return {
        "id": row.id,
        "object": "analysis",
        "job": row.subject_id,
        "owner": job.owner,
        "kind": row.kind,
        "checkpoint": row.checkpoint_id,
        "checkpoint_name": row.checkpoint_name,
        "parameters": row.parameters,
        "predicted_memory_mib": row.memory_mib,
        "max_runtime_seconds": _time_limit(job),
        "state": job.state,
        "reason": job.reason,
        "queue_position": queue_position,
        "progress": _progress(job),
        "result": job.result,
        "failure": job.failure,
        "artifacts": [_artifact_json(address, artifact) for artifact in artifacts],
        "attempt": job.attempt,
        "device": job.device,
        "created_at": rfc3339(job.created_at),
        "started_at": rfc3339(job.started_at),
        "finished_at": rfc3339(job.finished_at),
        "cancel_requested_at": rfc3339(job.cancel_requested_at),
        "links": {
            "self": address,
            "job": f"/v1/jobs/{row.subject_id}",
            "logs": f"{address}/logs",
        },
    }


def _time_limit(job: JobRow) -> Any:
    resources = job.spec.get("resources")
    return resources.get("max_runtime_seconds") if isinstance(resources, dict) else None


def _progress(job: JobRow) -> Json | None:
    """Return the progress; at the end it is complete, whatever the last heartbeat said."""
    progress = job.progress
    if job.state == "succeeded" and progress is not None and "steps" in progress:
        return {**progress, "step": progress["steps"], "fraction": 1.0, "eta_seconds": 0.0}
    return progress


def _artifact_json(address: str, row: ArtifactRow) -> Json:
    return {
        "name": row.name,
        "media_type": row.media_type,
        "bytes": row.bytes,
        "sha256": row.sha256,
        "download": f"{address}/artifacts/{row.name}/download",
    }
