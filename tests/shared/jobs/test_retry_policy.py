"""When a job whose attempts go wrong is tried again, and when it has failed."""

from collections.abc import Callable

import pytest

from shared.database import Database
from shared.errors import Failure
from shared.jobs import attempts, control, recording, retry_policy
from shared.jobs.attempts import Lease
from shared.jobs.recording import Batch
from tests.worker.jobs import claimed, claimed_again, job, last_checkpoint

CRASH = Failure(kind="crashed", message="signal 11", hint="look at the log")
STALL = Failure(kind="stalled", message="no step", hint="look at the log")


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


def test_ten_deaths_without_a_checkpoint_are_a_failure(database: Database) -> None:
    lease = claimed(database)
    for _ in range(retry_policy.MAX_ATTEMPTS["crashed"] - 1):
        assert _die(database, lease) == "queued"
        lease = claimed_again(database)
    assert _die(database, lease) == "failed"
    assert job(database, lease).failure == CRASH.as_json()


def test_a_new_checkpoint_starts_the_count_of_deaths_again(database: Database) -> None:
    lease = claimed(database)
    for step in range(retry_policy.MAX_ATTEMPTS["crashed"] + 5):
        _keep(database, lease, step)
        assert _die(database, lease) == "queued"
        lease = claimed_again(database)


def test_so_does_one_of_an_attempt_that_ended_otherwise(database: Database) -> None:
    lease = claimed(database)
    for _ in range(retry_policy.MAX_ATTEMPTS["crashed"] - 1):
        assert _die(database, lease) == "queued"
        lease = claimed_again(database)
    _keep(database, lease, 1)
    _lose(database, lease)
    lease = claimed_again(database)
    assert _die(database, lease) == "queued"
    assert job(database, lease).deaths == 1


def test_a_kill_from_outside_never_counts(database: Database) -> None:
    lease = claimed(database)
    for _ in range(retry_policy.MAX_ATTEMPTS["crashed"] + 5):
        _lose(database, lease)
        lease = claimed_again(database)


def test_a_training_that_stands_still_is_tried_once_more(database: Database) -> None:
    lease = claimed(database)
    assert _stall(database, lease) == "queued"
    row = job(database, lease)
    assert (row.reason, row.failure, row.deaths) == ("stalled", None, 0)

    lease = claimed_again(database)
    assert _stall(database, lease) == "failed"
    row = job(database, lease)
    assert (row.reason, row.failure) == ("stalled", STALL.as_json())


def test_what_happens_between_two_standstills_does_not_matter(database: Database) -> None:
    lease = claimed(database)
    _keep(database, lease, 1)
    assert _stall(database, lease) == "queued"
    lease = claimed_again(database)
    _lose(database, lease)
    lease = claimed_again(database)
    assert _die(database, lease) == "queued"
    assert _stall(database, claimed_again(database)) == "failed"


def test_a_new_checkpoint_between_two_standstills_does(database: Database) -> None:
    lease = claimed(database)
    for step in range(4):
        _keep(database, lease, step)
        assert _stall(database, lease) == "queued"
        lease = claimed_again(database)
    _keep(database, lease, 4)
    _lose(database, lease)
    assert _stall(database, claimed_again(database)) == "queued", "it came further meanwhile"
    assert _stall(database, claimed_again(database)) == "failed"


@pytest.mark.parametrize(
    ("end", "times"), [(_die, retry_policy.MAX_ATTEMPTS["crashed"]), (_stall, 2), (_give_up, 1)]
)
def test_a_job_that_somebody_cancelled_is_cancelled_at_its_last_death_too(
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
