"""When a job is retried after an attempt went wrong, and when it fails."""

from collections.abc import Callable

import pytest

from shared.database import Database
from shared.errors import Failure
from shared.jobs import attempts, control, recording, retry_policy
from shared.jobs.attempts import Lease
from shared.jobs.recording import Batch
from tests.worker.jobs import claimed, claimed_again, job, last_checkpoint

CRASH = Failure(kind="crashed", message="signal 11", hint="check the log")
STALL = Failure(kind="stalled", message="no step", hint="check the log")


def _die(database: Database, lease: Lease) -> str:
    with database.write() as connection:
        return retry_policy.record_death(connection, lease, "crashed", CRASH, exit_code=-11)


def _stall(database: Database, lease: Lease) -> str:
    with database.write() as connection:
        return retry_policy.record_death(connection, lease, "stalled", STALL, exit_code=13)


def _give_up(database: Database, lease: Lease) -> str:
    with database.write() as connection:
        return retry_policy.give_up(connection, lease, CRASH, exit_code=-9)


def _lose(database: Database, lease: Lease) -> str:
    with database.write() as connection:
        return attempts.stop(connection, lease, "worker_lost")


def _keep(database: Database, lease: Lease, step: int) -> None:
    batch = Batch(checkpoints=[last_checkpoint(step, f"step-{step}")])
    with database.write() as connection:
        recording.record(connection, lease, batch)


def test_job_fails_after_ten_crashes_without_a_checkpoint(database: Database) -> None:
    lease = claimed(database)
    for _ in range(retry_policy.MAX_ATTEMPTS["crashed"] - 1):
        assert _die(database, lease) == "queued"
        lease = claimed_again(database)
    assert _die(database, lease) == "failed"
    assert job(database, lease).failure == CRASH.as_json()


def test_new_checkpoint_resets_the_count_of_crashes(database: Database) -> None:
    lease = claimed(database)
    for step in range(retry_policy.MAX_ATTEMPTS["crashed"] + 5):
        _keep(database, lease, step)
        assert _die(database, lease) == "queued"
        lease = claimed_again(database)


def test_checkpoint_of_an_attempt_that_was_lost_resets_the_count_too(database: Database) -> None:
    lease = claimed(database)
    for _ in range(retry_policy.MAX_ATTEMPTS["crashed"] - 1):
        assert _die(database, lease) == "queued"
        lease = claimed_again(database)
    _keep(database, lease, 1)
    _lose(database, lease)
    lease = claimed_again(database)
    assert _die(database, lease) == "queued"
    assert job(database, lease).deaths == 1


def test_lost_worker_never_counts(database: Database) -> None:
    lease = claimed(database)
    for _ in range(retry_policy.MAX_ATTEMPTS["crashed"] + 5):
        _lose(database, lease)
        lease = claimed_again(database)


def test_stalled_job_is_retried_once(database: Database) -> None:
    lease = claimed(database)
    assert _stall(database, lease) == "queued"
    row = job(database, lease)
    assert (row.reason, row.failure, row.deaths) == ("stalled", None, 0)

    lease = claimed_again(database)
    assert _stall(database, lease) == "failed"
    row = job(database, lease)
    assert (row.reason, row.failure) == ("stalled", STALL.as_json())


def test_other_ends_between_two_stalls_do_not_matter(database: Database) -> None:
    lease = claimed(database)
    _keep(database, lease, 1)
    assert _stall(database, lease) == "queued"
    lease = claimed_again(database)
    _lose(database, lease)
    lease = claimed_again(database)
    assert _die(database, lease) == "queued"
    assert _stall(database, claimed_again(database)) == "failed"


def test_new_checkpoint_between_two_stalls_resets_the_count(database: Database) -> None:
    lease = claimed(database)
    for step in range(4):
        _keep(database, lease, step)
        assert _stall(database, lease) == "queued"
        lease = claimed_again(database)
    _keep(database, lease, 4)
    _lose(database, lease)
    assert _stall(database, claimed_again(database)) == "queued", "a checkpoint came between"
    assert _stall(database, claimed_again(database)) == "failed"


@pytest.mark.parametrize(
    ("end", "times"), [(_die, retry_policy.MAX_ATTEMPTS["crashed"]), (_stall, 2), (_give_up, 1)]
)
def test_cancelled_job_does_not_fail_when_its_last_attempt_dies(
    database: Database, end: Callable[[Database, Lease], str], times: int
) -> None:
    lease = claimed(database)
    for _ in range(times - 1):
        end(database, lease)
        lease = claimed_again(database)
    with database.write() as connection:
        control.request_cancel(connection, lease.job_id)
    assert end(database, lease) == "cancelled"
    row = job(database, lease)
    assert (row.reason, row.failure) == ("cancelled_by_user", None)
