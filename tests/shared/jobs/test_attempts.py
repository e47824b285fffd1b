"""Claims, fences and cancels of attempts."""

import threading

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from shared import tables
from shared.database import Database
from shared.errors import Conflict, Failure, Fenced
from shared.jobs import attempts, control, liveness, queries, recording, retry_policy
from shared.jobs.attempts import ClaimedJob, Lease
from shared.jobs.events import list_events
from shared.jobs.recording import Batch
from shared.jobs.resumption import begin_attempt
from tests.shared.claiming import claim, submit_job
from tests.shared.interleaving import interleave
from tests.shared.rows import point

CRASH = Failure(kind="crashed", message="signal 11", hint="check the log")


def _claim(database: Database) -> ClaimedJob | None:
    with database.write() as connection:
        return claim(connection)


def _claimed(database: Database) -> Lease:
    submit_job(database)
    claimed = _claim(database)
    assert claimed is not None
    return claimed.lease


def _state(database: Database, job_id: str) -> str:
    with database.read() as connection:
        row = queries.get_job(connection, job_id)
    assert row is not None
    return row.state


class TestClaim:
    def test_highest_priority_is_claimed_first_and_then_the_oldest(
        self, database: Database
    ) -> None:
        low = submit_job(database, priority="low")
        first, second = submit_job(database), submit_job(database)
        high = submit_job(database, priority="high")
        claimed = [_claim(database) for _ in range(5)]
        assert [job and job.lease.job_id for job in claimed] == [high, first, second, low, None]

    def test_each_job_is_claimed_once_by_concurrent_claims(self, database: Database) -> None:
        jobs = {submit_job(database) for _ in range(12)}
        claimed: list[str] = []

        def claim_all() -> None:
            while (job := _claim(database)) is not None:
                claimed.append(job.lease.job_id)

        threads = [threading.Thread(target=claim_all) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(claimed) == sorted(jobs)

    def test_cancelled_job_is_never_claimed(self, database: Database) -> None:
        job = submit_job(database)
        with database.write() as connection:
            control.request_cancel(connection, job)
        assert _claim(database) is None
        assert _state(database, job) == "cancelled"


class TestFence:
    def test_attempt_that_lost_its_job_cannot_write(self, database: Database) -> None:
        old = _claimed(database)
        with database.write() as connection:
            attempts.stop(connection, old, "worker_lost")
        new = _claim(database)
        assert new is not None
        assert new.lease == Lease(old.job_id, old.attempt + 1)
        writes = (
            lambda c: liveness.record_heartbeat(c, old, pid=1, progress={}),
            lambda c: begin_attempt(c, old, first_step=0, fingerprint={}),
            lambda c: attempts.succeed(c, old, {}),
            lambda c: attempts.fail(c, old, CRASH),
            lambda c: attempts.stop(c, old, "drained"),
            lambda c: retry_policy.record_death(c, old, "crashed", CRASH, exit_code=1),
            lambda c: retry_policy.record_death(c, old, "stalled", CRASH, exit_code=13),
            lambda c: retry_policy.give_up(c, old, CRASH, exit_code=-9),
            lambda c: recording.record(c, old, Batch(metrics=[point(1)])),
        )
        for write in writes:
            with pytest.raises(Fenced), database.write() as connection:
                write(connection)
        with database.read() as connection:
            assert queries.list_metrics(connection, old.job_id) == []
            row = queries.get_job(connection, old.job_id)
        assert row is not None
        assert row.beat == 0

    @pytest.mark.parametrize("final", ["succeeded", "failed", "cancelled"])
    def test_final_state_is_never_left(self, database: Database, final: str) -> None:
        lease = _claimed(database)
        with database.write() as connection:
            if final == "succeeded":
                attempts.succeed(connection, lease, {})
            elif final == "failed":
                attempts.fail(connection, lease, CRASH)
            else:
                control.request_cancel(connection, lease.job_id)
                attempts.stop(connection, lease, "cancel")
        for write in (attempts.succeed, attempts.fail, attempts.stop):
            with pytest.raises(Fenced), database.write() as connection:
                write(connection, lease, CRASH)  # pyright: ignore[reportArgumentType]
        if final != "cancelled":
            with pytest.raises(Conflict), database.write() as connection:
                control.request_cancel(connection, lease.job_id)
        assert _claim(database) is None
        assert _state(database, lease.job_id) == final


class TestCancel:
    def test_running_job_is_cancelled_only_when_its_process_is_gone(
        self, database: Database
    ) -> None:
        lease = _claimed(database)
        for _ in range(3):
            with database.write() as connection:
                control.request_cancel(connection, lease.job_id)
        assert _state(database, lease.job_id) == "running"
        with database.write() as connection:
            assert liveness.record_heartbeat(
                connection, lease, pid=1, progress=None
            ).requests.is_cancel_requested
        with database.write() as connection:
            assert attempts.stop(connection, lease, "worker_lost") == "cancelled"
        with database.read() as connection:
            kinds = [event.type for event in list_events(connection, lease.job_id)]
        assert kinds.count("cancel_requested") == 1

    def test_job_that_is_drained_during_the_cancel_is_cancelled(self, database: Database) -> None:
        lease = _claimed(database)
        interleave(
            database,
            lambda c: control.request_cancel(c, lease.job_id),
            lambda c: attempts.stop(c, lease, "drained"),
        )
        assert _state(database, lease.job_id) == "cancelled"


def test_unknown_state_cannot_be_written(database: Database) -> None:
    job = submit_job(database)
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(
            sa.update(tables.jobs).where(tables.jobs.c.id == job).values(state="done")
        )
