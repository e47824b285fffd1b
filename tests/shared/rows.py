"""Rows that an attempt records, for tests of the tables."""

from datetime import UTC, datetime

from shared.database import Database
from shared.jobs.attempts import Lease
from shared.jobs.events import page
from shared.jobs.recording import CheckpointRow, MetricRow

AT = datetime(2026, 1, 1, tzinfo=UTC)


def checkpoint(kind: str, step: int, monitor: str | None = None) -> CheckpointRow:
    """A checkpoint of the first epoch."""
    return CheckpointRow(
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


def point(step: int, value: float = 0.5) -> MetricRow:
    """A value of the first epoch."""
    return MetricRow(
        name="train_loss", split="train", stage="s", step=step, epoch=1, value=value, at=AT
    )


def notes(database: Database, lease: Lease) -> list[str]:
    """The texts of a job's notes."""
    with database.read() as connection:
        events = page(connection, lease.job_id)
    return [event["data"]["text"] for event in events if event["type"] == "note"]
