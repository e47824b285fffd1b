"""Rows are read as frozen objects, and an unreadable one names its column."""

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from shared import tables
from shared.clock import now
from shared.database import Database
from shared.errors import RowUnreadable
from shared.jobs import events, liveness, queries, recording, unreadable_rows
from shared.jobs.attempts import Lease
from shared.jobs.recording import Batch, NewArtifact, NewEvaluation
from shared.jobs.rows import (
    ArtifactRow,
    AttemptRow,
    CheckpointRow,
    EvaluationRow,
    EventRow,
    JobRow,
    MetricRow,
    StoredRow,
    UploadRow,
    WorkerRow,
)
from shared.uploaded_datasets import DatasetRow
from tests.shared.rows import checkpoint, job_row, point
from tests.worker.jobs import claimed

TABLES = (
    (ArtifactRow, tables.artifacts),
    (AttemptRow, tables.attempts),
    (CheckpointRow, tables.checkpoints),
    (EvaluationRow, tables.evaluations),
    (EventRow, tables.events),
    (MetricRow, tables.metrics),
    (UploadRow, tables.weights),
    (DatasetRow, tables.datasets),
    (WorkerRow, tables.workers),
)
OF_A_HEARTBEAT = {"beat", "progress", "devices", "heartbeat_at"}


def _set(database: Database, table: str, column: str, value: object) -> None:
    """Write a value that no code of ours would write, as somebody with a SQL shell can."""
    untyped = sa.table(table, sa.column(column))
    with database.write() as connection:
        connection.execute(sa.update(untyped).values({column: value}))


def _get(database: Database, lease: Lease) -> JobRow:
    with database.read() as connection:
        row = queries.get_job(connection, lease.job_id)
    assert row is not None
    return row


@pytest.mark.parametrize(("kind", "table"), TABLES, ids=lambda value: getattr(value, "name", ""))
def test_fields_are_the_columns_of_the_table(kind: type[StoredRow], table: sa.Table) -> None:
    assert table.name == kind.TABLE
    assert [field.name for field in fields(kind)] == table.c.keys()
    assert set(kind.KEY) == set(table.primary_key.columns.keys())


def test_fields_of_a_job_are_its_columns_and_its_newest_heartbeat() -> None:
    names = {field.name for field in fields(JobRow)}
    assert names == {*tables.jobs.c.keys(), *OF_A_HEARTBEAT}


def test_every_kind_of_row_is_read_as_it_was_written(database: Database) -> None:
    lease = claimed(database)
    new = checkpoint("best", 3, "val_loss")
    batch = Batch(
        metrics=[point(3, float("inf"))],
        checkpoints=[new],
        evaluations=[
            NewEvaluation(checkpoint_id=new.id, split="test", data={"k": 1}, predictions="p")
        ],
        artifacts=[
            NewArtifact(
                id="artifact_1",
                name="a.csv",
                path="a/a.csv",
                media_type="text/csv",
                bytes=3,
                sha256="0" * 64,
                created_at=now(),
            )
        ],
        latest={"train_loss": 0.5},
    )
    with database.write() as connection:
        liveness.record_heartbeat(connection, lease, pid=7, progress={"step": 3})
        recording.record(connection, lease, batch)
        liveness.record_worker(connection, worker="w", host="h", pid=7, devices=[{"name": "cpu:0"}])

    with database.read() as connection:
        (attempt,) = queries.list_attempts(connection, lease.job_id)
        (metric,) = queries.list_metrics(connection, lease.job_id)
        (stored,) = queries.list_checkpoints(connection, lease.job_id)
        (evaluation,) = queries.list_evaluations(connection, lease.job_id)
        (artifact,) = queries.list_artifacts(connection, lease.job_id)
        (worker,) = liveness.list_workers(connection)
        first, _ = events.list_events(connection, lease.job_id)

    job = _get(database, lease)
    assert (job.state, job.metrics, job.beat) == ("running", {"train_loss": 0.5}, 1)
    assert (job.progress, job.heartbeat_at is not None) == ({"step": 3}, True)
    assert (attempt.number, attempt.worker, attempt.ended_at) == (1, "w", None)
    assert vars(metric).items() >= vars(batch.metrics[0]).items()
    assert (stored.id, stored.monitor, stored.attempt) == (new.id, "val_loss", lease.attempt)
    assert vars(evaluation).items() >= vars(batch.evaluations[0]).items()
    assert vars(artifact).items() >= vars(batch.artifacts[0]).items()
    assert worker.devices == [{"name": "cpu:0"}]
    assert (first.number, first.data) == (1, {"state": "queued", "reason": "submitted"})


def test_row_cannot_be_changed() -> None:
    row: Any = job_row()
    with pytest.raises(FrozenInstanceError):
        row.state = "running"


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("spec", "[]", "is of type list"),
        ("spec", "{", "is of type InvalidJson"),
        ("tags", "null", "is of type NoneType"),
        ("attempt", "many", "is of type str"),
        ("created_at", "yesterday", "is of type str"),
        ("started_at", 12, "is of type int"),
        ("result", "[3]", "is of type list"),
    ],
)
def test_unreadable_column_of_a_job_is_named(
    sqlite_database: Database, column: str, value: object, why: str
) -> None:
    lease = claimed(sqlite_database)
    _set(sqlite_database, "jobs", column, value)

    with pytest.raises(RowUnreadable) as caught:
        _get(sqlite_database, lease)

    error = caught.value
    assert (error.table, error.row_id, error.column) == ("jobs", lease.job_id, column)
    assert error.why == why
    assert str(error) == f"jobs {lease.job_id}: column {column} {why}"
    assert lease.job_id not in error.detail


def test_unknown_state_makes_a_job_unreadable() -> None:
    columns = {**vars(job_row()), "state": "resting"}
    with pytest.raises(RowUnreadable, match="column state is 'resting', which"):
        JobRow.read(columns)


def test_checkpoint_of_an_unknown_kind_is_left_out_counted_and_logged(database: Database) -> None:
    lease = claimed(database)
    with database.write() as connection:
        recording.record(connection, lease, Batch(checkpoints=[checkpoint("last", 3)]))
    _set(database, "checkpoints", "kind", "first")

    unreadable_rows._seen.clear()
    before = unreadable_rows.counts().get("checkpoints", 0)

    with database.read() as connection, capture_logs() as lines:
        assert queries.list_checkpoints(connection, lease.job_id) == []
        assert queries.list_checkpoints(connection, lease.job_id) == []

    (line,) = lines
    assert (line["table"], line["column"], line["log_level"]) == ("checkpoints", "kind", "error")
    assert unreadable_rows.counts()["checkpoints"] == before + 1


def test_missing_column_is_named() -> None:
    columns = {name: value for name, value in vars(job_row()).items() if name != "spec"}
    with pytest.raises(RowUnreadable, match="jobs job_1: column spec is missing"):
        JobRow.read(columns)


def test_row_of_two_keys_is_named_by_both(sqlite_database: Database) -> None:
    lease = claimed(sqlite_database)
    _set(sqlite_database, "events", "data", "3")

    with sqlite_database.read() as connection, capture_logs() as lines:
        events.list_events(connection, lease.job_id)

    assert lines[0]["row"] == f"{lease.job_id}/1"
