"""Rows to record and rows as they are read back, with defaults, for tests."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from shared.database import Database
from shared.jobs.attempts import Lease
from shared.jobs.events import list_events
from shared.jobs.findings import NewFinding
from shared.jobs.recording import NewCheckpoint, NewMetric
from shared.jobs.rows import AttemptRow, CheckpointRow, EvaluationRow, JobRow

AT = datetime(2026, 1, 1, tzinfo=UTC)


def checkpoint(kind: str, step: int, monitor: str | None = None) -> NewCheckpoint:
    """Return a new checkpoint of the first epoch."""
    return NewCheckpoint(
        id=f"ckpt_{kind}_{step}",
        kind=kind,
        monitor=monitor,
        mode=None,
        value=None,
        stage="training",
        epoch=1,
        step=step,
        directory=f"step-{step}",
        bytes=1,
        sha256="0" * 64,
        created_at=AT,
    )


def finding(**columns: Any) -> NewFinding:
    """Return a new finding with these columns."""
    data = {
        "sentence": "60 % of the units are 0",
        "explanation": "A unit that is 0 for every sample does not learn.",
        "layers": ["body.activation1"],
        "evidence": {"statistic": "dead_unit_share", "value": 0.6, "threshold": 0.5}
        | {"direction": "above", "samples": 256, "series": [[20, 0.6]]},
        "reasons": [33],
        "next": None,
        "rank": 1,
        "patches": [],
    }
    defaults: dict[str, Any] = {
        "id": "fnd_1",
        "rule": "dead_relu",
        "stage": "training",
        "severity": "error",
        "state": "open",
        "first_step": 20,
        "last_step": 20,
        "epoch": 1,
        "because_of": None,
        "data": data | columns.pop("data", {}),
    }
    return NewFinding(**{**defaults, **columns})


def point(step: int, value: float = 0.5) -> NewMetric:
    """Return a new metric value of the first epoch."""
    return NewMetric(
        name="train_loss", split="train", stage="s", step=step, epoch=1, value=value, at=AT
    )


def job_row(**columns: Any) -> JobRow:
    """Return a queued job with these columns."""
    nothing = {field.name: None for field in fields(JobRow)}
    defaults: dict[str, Any] = {
        "id": "job_1",
        "kind": "training",
        "awaits_verification": False,
        "owner": "admin",
        "name": "",
        "state": "queued",
        "priority": 0,
        "gpus": 1,
        "tags": {},
        "notes": "",
        "spec": {},
        "spec_sha256": "0" * 64,
        "warnings": [],
        "findings": {"error": 0, "warning": 0, "info": 0},
        "dataset": "digits",
        "memory_mib": 0.0,
        "allow_inexact": False,
        "created_at": AT,
        "attempt": 0,
        "deaths": 0,
        "revision": 1,
        "last_event": 1,
        "metrics": {},
        "best": {},
    }
    return JobRow(**{**nothing, **defaults, **columns})


def attempt_row(**columns: Any) -> AttemptRow:
    """Return a job's first attempt with these columns."""
    defaults: dict[str, Any] = {
        "job_id": "job_1",
        "number": 1,
        "worker": "w",
        "host": "h",
        "device": "cpu:0",
        "devices": ["cpu:0"],
        "started_at": AT,
        "ended_at": None,
        "outcome": None,
        "exit_code": None,
        "first_step": 0,
        "fingerprint": None,
        "charged_until": None,
        "device_seconds": 0.0,
        "charged_seconds": 0.0,
        "share": 1.0,
        "switch_seconds": None,
        "batches": 0,
    }
    return AttemptRow(**{**defaults, **columns})


def checkpoint_row(
    kind: str, step: int, monitor: str | None = None, **columns: Any
) -> CheckpointRow:
    """Return a stored checkpoint with these columns."""
    stored = vars(checkpoint(kind, step, monitor))
    return CheckpointRow(**{**stored, "job_id": "job_1", "attempt": 1, **columns})


def evaluation_row(checkpoint_id: str, data: dict[str, Any]) -> EvaluationRow:
    """Return the stored test results of a checkpoint."""
    return EvaluationRow(
        checkpoint_id=checkpoint_id, job_id="job_1", split="test", data=data, predictions="p.bin"
    )


def notes(database: Database, lease: Lease) -> list[str]:
    """Return the texts of a job's notes."""
    with database.read() as connection:
        events = list_events(connection, lease.job_id)
    return [event.data["text"] for event in events if event.type == "note"]
