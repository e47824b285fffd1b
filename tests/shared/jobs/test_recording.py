"""Recorded rows are read back unchanged, in order and once."""

import pytest
from sqlalchemy.exc import IntegrityError

from shared.database import Database
from shared.jobs import attempts, queries, recording
from shared.jobs.events import NewEvent, list_events
from shared.jobs.recording import Batch
from tests.shared.rows import checkpoint, notes, point
from tests.worker.jobs import claimed, claimed_again


def test_values_that_are_not_finite_are_read_back_unchanged(database: Database) -> None:
    lease = claimed(database)
    values = [float("nan"), float("inf"), float("-inf"), 1e-300]
    with database.write() as connection:
        points = [point(step, value) for step, value in enumerate(values)]
        recording.record(connection, lease, Batch(metrics=points))
    with database.read() as connection:
        stored = [row.value for row in queries.list_metrics(connection, lease.job_id)]
    assert [repr(value) for value in stored] == [repr(value) for value in values]


def test_batch_with_a_duplicate_point_is_not_stored(database: Database) -> None:
    lease = claimed(database)
    with database.write() as connection:
        recording.record(connection, lease, Batch(metrics=[point(1)]))
    batch = Batch(metrics=[point(2), point(1)], events=[NewEvent("epoch")])
    with pytest.raises(IntegrityError), database.write() as connection:
        recording.record(connection, lease, batch)
    with database.read() as connection:
        assert [row.step for row in queries.list_metrics(connection, lease.job_id)] == [1]


def test_directory_is_released_once_no_checkpoint_uses_it(database: Database) -> None:
    lease = claimed(database)
    released = []
    for step in (1, 2, 3, 4):
        rows = [checkpoint("last", step)]
        if step in {1, 4}:
            rows.append(checkpoint("best", step, "val_loss"))
        with database.write() as connection:
            released.append(recording.record(connection, lease, Batch(checkpoints=rows)))
    assert [sorted(directories) for directories in released] == [[], [], [], ["step-1", "step-2"]]


def test_numbered_batch_that_is_sent_again_is_stored_once(database: Database) -> None:
    lease = claimed(database)
    batches = [
        Batch(events=[NewEvent("note", {"text": "alone"})], phase="training"),
        Batch(metrics=[point(1)], events=[NewEvent("note", {"text": "with a metric"})]),
        Batch(checkpoints=[checkpoint("last", 1)], events=[NewEvent("note", {"text": "last"})]),
    ]
    for number, batch in enumerate(batches, 1):
        for _ in range(3):
            with database.write() as connection:
                recording.record(connection, lease, batch, number=number)
    assert notes(database, lease) == ["alone", "with a metric", "last"]
    with database.read() as connection:
        assert len(queries.list_metrics(connection, lease.job_id)) == 1
        kinds = [row.kind for row in queries.list_checkpoints(connection, lease.job_id)]
    assert kinds == ["last"]


def test_batches_are_numbered_per_attempt(database: Database) -> None:
    lease = claimed(database)
    for attempt in ("first", "second"):
        batch = Batch(events=[NewEvent("note", {"text": attempt})])
        with database.write() as connection:
            recording.record(connection, lease, batch, number=1)
            attempts.stop(connection, lease, "drained")
        lease = claimed_again(database)
    assert notes(database, lease) == ["first", "second"]


def test_events_are_numbered_without_gaps(database: Database) -> None:
    lease = claimed(database)
    for _ in range(3):
        with database.write() as connection:
            recording.record(connection, lease, Batch(events=[NewEvent("note"), NewEvent("note")]))
    with database.read() as connection:
        numbers = [event.number for event in list_events(connection, lease.job_id)]
        rest = list_events(connection, lease.job_id, after=4, limit=2)
    assert numbers == list(range(1, 9))
    assert [event.number for event in rest] == [5, 6]
