"""What an earlier attempt recorded past the checkpoint is deleted when a job resumes."""

from dataclasses import replace

import pytest

from shared.database import Database
from shared.jobs import attempts, queries, recording
from shared.jobs.events import NewEvent, list_events
from shared.jobs.recording import Batch
from shared.jobs.resumption import begin_attempt
from tests.shared.rows import checkpoint, point
from tests.worker.jobs import claimed, claimed_again


def test_rows_past_the_checkpoint_are_deleted(database: Database) -> None:
    lease = claimed(database)
    with database.write() as connection:
        recording.record(
            connection,
            lease,
            Batch(
                metrics=[point(step) for step in (10, 20, 30)],
                checkpoints=[
                    checkpoint("last", 10),
                    checkpoint("last", 20),
                    checkpoint("best", 20, "val_loss"),
                ],
            ),
        )
        begin_attempt(connection, lease, first_step=10, fingerprint={})
    with database.read() as connection:
        steps = [row.step for row in queries.list_metrics(connection, lease.job_id)]
        left = [(row.kind, row.step) for row in queries.list_checkpoints(connection, lease.job_id)]
    assert steps == [10]
    assert left == [("last", 10)]


@pytest.mark.parametrize("is_inside", [True, False])
def test_end_of_an_epoch_is_past_a_checkpoint_of_its_last_step_only(
    database: Database, *, is_inside: bool
) -> None:
    """Both checkpoints have step 20; one epoch is finished at the first, two at the second."""
    first = claimed(database)
    inside = replace(checkpoint("last", 20), id="ckpt_inside", epoch=1)
    end = replace(checkpoint("last", 20), id="ckpt_end", epoch=2)
    best = replace(checkpoint("best", 20, "val_loss"), epoch=2)
    with database.write() as connection:
        for step, epoch in ((10, 1), (20, 2)):
            event = NewEvent("epoch", {"epoch": epoch}, step)
            points = [replace(point(step), epoch=epoch)]
            batch = Batch(metrics=points, events=[event])
            recording.record(connection, first, batch)
        recording.record(connection, first, Batch(checkpoints=[inside]))
        recording.record(connection, first, Batch(checkpoints=[end, best]))
        attempts.stop(connection, first, "worker_lost")
    again = claimed_again(database)
    with database.write() as connection:
        begin_attempt(
            connection,
            again,
            first_step=20,
            first_epoch=1 if is_inside else 2,
            fingerprint={},
        )
    with database.read() as connection:
        steps = [row.step for row in queries.list_metrics(connection, first.job_id)]
        rows = queries.list_checkpoints(connection, first.job_id)
        event = list_events(connection, first.job_id)[-1]
    assert steps == ([10] if is_inside else [10, 20])
    assert {(row.id, row.kind) for row in rows} == (
        {("ckpt_inside", "last")}
        if is_inside
        else {("ckpt_inside", "previous"), ("ckpt_end", "last"), (best.id, "best")}
    )
    assert (event.type, event.data["repeats_epochs"]) == ("attempt", int(is_inside))
    if is_inside:  # the epoch ends again
        with database.write() as connection:
            recording.record(connection, again, Batch(metrics=[point(20)]))


def test_repeated_begin_appends_one_event(database: Database) -> None:
    lease = claimed(database)
    for _ in range(2):
        with database.write() as connection:
            begin_attempt(connection, lease, first_step=0, fingerprint={})
    with database.read() as connection:
        kinds = [event.type for event in list_events(connection, lease.job_id)]
    assert kinds == ["state", "state", "attempt"]


def test_id_of_a_deleted_metric_is_never_reused(database: Database) -> None:
    lease = claimed(database)
    with database.write() as connection:
        recording.record(connection, lease, Batch(metrics=[point(1), point(2)]))
    with database.read() as connection:
        before = max(row.id for row in queries.list_metrics(connection, lease.job_id))
    with database.write() as connection:
        begin_attempt(connection, lease, first_step=0, fingerprint={})
        recording.record(connection, lease, Batch(metrics=[point(1)]))
    with database.read() as connection:
        assert queries.list_metrics(connection, lease.job_id)[0].id > before
