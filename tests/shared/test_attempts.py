import threading
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from shared import tables
from shared.database import Database
from shared.errors import Conflict, Failure, Fenced
from shared.jobs import attempts, reading, recording, requests
from shared.jobs.attempts import Claimed, Lease
from shared.jobs.events import EventRow, page
from shared.jobs.recording import Batch, CheckpointRow, MetricRow
from shared.jobs.submission import Submission, submit
from tests.shared.specs import filled_in

AT = datetime(2026, 1, 1, tzinfo=UTC)
CRASH = Failure(kind="crashed", message="signal 11", hint="look at the log")


def _submit(database: Database, **changes: object) -> str:
    with database.write() as connection:
        return submit(connection, Submission(owner="admin", spec=filled_in(**changes)))[0]


def _claim(database: Database) -> Claimed | None:
    with database.write() as connection:
        return attempts.claim(
            connection, worker="w", host="h", device="cpu", devices=["cpu:0"], gpus=1
        )


def _claimed(database: Database) -> Lease:
    _submit(database)
    claimed = _claim(database)
    assert claimed is not None
    return claimed.lease


def _state(database: Database, job_id: str) -> str:
    with database.read() as connection:
        row = reading.get(connection, job_id)
    assert row is not None
    return row["state"]


def _checkpoint(kind: str, step: int, monitor: str | None = None) -> CheckpointRow:
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


def _point(step: int, value: float = 0.5) -> MetricRow:
    return MetricRow(
        name="train_loss", split="train", stage="s", step=step, epoch=1, value=value, at=AT
    )


class TestClaim:
    def test_the_highest_priority_goes_first_and_among_equals_the_oldest(
        self, database: Database
    ) -> None:
        low = _submit(database, priority="low")
        first, second = _submit(database), _submit(database)
        high = _submit(database, priority="high")
        claimed = [_claim(database) for _ in range(5)]
        assert [one and one.lease.job_id for one in claimed] == [high, first, second, low, None]

    def test_of_many_claims_at_once_each_job_goes_to_one(self, database: Database) -> None:
        jobs = {_submit(database) for _ in range(12)}
        claimed: list[str] = []

        def take() -> None:
            while (one := _claim(database)) is not None:
                claimed.append(one.lease.job_id)

        threads = [threading.Thread(target=take) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(claimed) == sorted(jobs)

    def test_a_cancelled_job_is_never_claimed(self, database: Database) -> None:
        job = _submit(database)
        with database.write() as connection:
            requests.request_cancel(connection, job)
        assert _claim(database) is None
        assert _state(database, job) == "cancelled"


class TestFence:
    def test_an_attempt_that_was_given_up_can_write_nothing(self, database: Database) -> None:
        old = _claimed(database)
        with database.write() as connection:
            attempts.stop(connection, old, "worker_lost")
        new = _claim(database)
        assert new is not None
        assert new.lease == Lease(old.job_id, old.attempt + 1)
        writes = (
            lambda c: attempts.heartbeat(c, old, pid=1, progress={}),
            lambda c: attempts.begin(c, old, first_step=0, fingerprint={}),
            lambda c: attempts.succeed(c, old, {}),
            lambda c: attempts.fail(c, old, CRASH),
            lambda c: attempts.stop(c, old, "drained"),
            lambda c: attempts.died(c, old, CRASH, exit_code=1),
            lambda c: recording.record(c, old, Batch(metrics=[_point(1)])),
        )
        for write in writes:
            with pytest.raises(Fenced), database.write() as connection:
                write(connection)
        with database.read() as connection:
            assert reading.metrics(connection, old.job_id) == []
            row = reading.get(connection, old.job_id)
        assert row is not None
        assert row["beat"] == 0

    @pytest.mark.parametrize("final", ["succeeded", "failed", "cancelled"])
    def test_a_final_state_is_never_left(self, database: Database, final: str) -> None:
        lease = _claimed(database)
        with database.write() as connection:
            if final == "succeeded":
                attempts.succeed(connection, lease, {})
            elif final == "failed":
                attempts.fail(connection, lease, CRASH)
            else:
                requests.request_cancel(connection, lease.job_id)
                attempts.stop(connection, lease, "cancel")
        for write in (attempts.succeed, attempts.fail, attempts.stop):
            with pytest.raises(Fenced), database.write() as connection:
                write(connection, lease, CRASH)  # pyright: ignore[reportArgumentType]
        if final != "cancelled":
            with pytest.raises(Conflict), database.write() as connection:
                requests.request_cancel(connection, lease.job_id)
        assert _claim(database) is None
        assert _state(database, lease.job_id) == final


class TestCancel:
    def test_a_running_job_is_cancelled_only_when_its_process_is_gone(
        self, database: Database
    ) -> None:
        lease = _claimed(database)
        for _ in range(3):
            with database.write() as connection:
                requests.request_cancel(connection, lease.job_id)
        assert _state(database, lease.job_id) == "running"
        with database.write() as connection:
            assert attempts.heartbeat(connection, lease, pid=1, progress=None).cancel
        with database.write() as connection:
            assert attempts.stop(connection, lease, "worker_lost") == "cancelled"
        with database.read() as connection:
            kinds = [event["type"] for event in page(connection, lease.job_id)]
        assert kinds.count("cancel_requested") == 1


class TestDeaths:
    def test_ten_deaths_without_a_checkpoint_are_a_failure(self, database: Database) -> None:
        lease = _claimed(database)
        states = []
        for _ in range(attempts.MOST_DEATHS):
            with database.write() as connection:
                states.append(attempts.died(connection, lease, CRASH, exit_code=-11))
            claimed = _claim(database)
            if claimed is not None:
                lease = claimed.lease
        assert states == ["queued"] * 9 + ["failed"]

    def test_a_new_checkpoint_starts_the_count_again(self, database: Database) -> None:
        lease = _claimed(database)
        for step in range(attempts.MOST_DEATHS + 5):
            with database.write() as connection:
                recording.record(connection, lease, Batch(checkpoints=[_checkpoint("last", step)]))
                assert attempts.died(connection, lease, CRASH, exit_code=1) == "queued"
            claimed = _claim(database)
            assert claimed is not None
            lease = claimed.lease

    def test_a_kill_from_outside_never_counts(self, database: Database) -> None:
        lease = _claimed(database)
        for _ in range(attempts.MOST_DEATHS + 5):
            with database.write() as connection:
                attempts.stop(connection, lease, "worker_lost")
            claimed = _claim(database)
            assert claimed is not None
            lease = claimed.lease


class TestResume:
    def test_what_lies_past_the_checkpoint_is_deleted(self, database: Database) -> None:
        lease = _claimed(database)
        with database.write() as connection:
            recording.record(
                connection,
                lease,
                Batch(
                    metrics=[_point(step) for step in (10, 20, 30)],
                    checkpoints=[
                        _checkpoint("last", 10),
                        _checkpoint("last", 20),
                        _checkpoint("best", 20, "val_loss"),
                    ],
                ),
            )
            attempts.begin(connection, lease, first_step=10, fingerprint={})
        with database.read() as connection:
            steps = [row["step"] for row in reading.metrics(connection, lease.job_id)]
            left = [
                (row["kind"], row["step"]) for row in reading.checkpoints(connection, lease.job_id)
            ]
        assert steps == [10]
        assert left == [("last", 10)]

    def test_the_number_of_a_deleted_metric_is_never_used_again(self, database: Database) -> None:
        lease = _claimed(database)
        with database.write() as connection:
            recording.record(connection, lease, Batch(metrics=[_point(1), _point(2)]))
        with database.read() as connection:
            before = max(row["id"] for row in reading.metrics(connection, lease.job_id))
        with database.write() as connection:
            attempts.begin(connection, lease, first_step=0, fingerprint={})
            recording.record(connection, lease, Batch(metrics=[_point(1)]))
        with database.read() as connection:
            assert reading.metrics(connection, lease.job_id)[0]["id"] > before


class TestRecording:
    def test_values_that_are_not_finite_come_back_as_they_were(self, database: Database) -> None:
        lease = _claimed(database)
        values = [float("nan"), float("inf"), float("-inf"), 1e-300]
        with database.write() as connection:
            points = [_point(step, value) for step, value in enumerate(values)]
            recording.record(connection, lease, Batch(metrics=points))
        with database.read() as connection:
            found = [row["value"] for row in reading.metrics(connection, lease.job_id)]
        assert [repr(value) for value in found] == [repr(value) for value in values]

    def test_a_point_is_recorded_once_or_not_at_all(self, database: Database) -> None:
        lease = _claimed(database)
        with database.write() as connection:
            recording.record(connection, lease, Batch(metrics=[_point(1)]))
        batch = Batch(metrics=[_point(2), _point(1)], events=[EventRow("epoch")])
        with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
            recording.record(connection, lease, batch)
        with database.read() as connection:
            assert [row["step"] for row in reading.metrics(connection, lease.job_id)] == [1]

    def test_a_directory_is_released_when_no_checkpoint_needs_it(self, database: Database) -> None:
        lease = _claimed(database)
        released = []
        for step in (1, 2, 3, 4):
            rows = [_checkpoint("last", step)]
            if step in {1, 4}:
                rows.append(_checkpoint("best", step, "val_loss"))
            with database.write() as connection:
                released.append(recording.record(connection, lease, Batch(checkpoints=rows)))
        assert [sorted(one) for one in released] == [[], [], [], ["step-1", "step-2"]]

    def test_events_are_numbered_without_gaps(self, database: Database) -> None:
        lease = _claimed(database)
        for _ in range(3):
            with database.write() as connection:
                recording.record(
                    connection, lease, Batch(events=[EventRow("note"), EventRow("note")])
                )
        with database.read() as connection:
            numbers = [event["number"] for event in page(connection, lease.job_id)]
            rest = page(connection, lease.job_id, after=4, limit=2)
        assert numbers == list(range(1, 9))
        assert [event["number"] for event in rest] == [5, 6]


def test_a_state_that_does_not_exist_cannot_be_written(database: Database) -> None:
    job = _submit(database)
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
        connection.execute(
            sa.update(tables.jobs).where(tables.jobs.c.id == job).values(state="done")
        )
