import os
from collections.abc import Callable
from typing import Any

import pytest

from shared.errors import Failure, Unavailable
from shared.jobs import attempts, events, queries
from shared.jobs.attempts import Lease
from shared.jobs.resumption import begin_attempt
from tests.fakes.database import FlakyDatabase
from tests.worker.jobs import claimed, job
from worker.assignment import ExitCode
from worker.dispatch.device import Device
from worker.dispatch.runners import Runner, record_exit
from worker.runner.retry import read_with_retry, write_with_retry


@pytest.fixture
def lease(flaky_database: FlakyDatabase) -> Lease:
    return claimed(flaky_database)


@pytest.fixture
def _exit_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise `SystemExit` where this process would end."""

    def end(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", end)


def test_a_read_is_repeated_until_the_database_is_available(flaky_database: FlakyDatabase) -> None:
    outcomes: list[Exception | str] = [Unavailable(), Unavailable(), "row"]

    def read(_: object) -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert read_with_retry(flaky_database, read) == "row"
    assert outcomes == []


def test_a_beginning_without_confirmation_is_recorded_once(
    flaky_database: FlakyDatabase, lease: Lease
) -> None:
    flaky_database.unconfirmed_writes = 1

    write_with_retry(
        flaky_database, lambda c: begin_attempt(c, lease, first_step=0, fingerprint={})
    )

    assert flaky_database.unconfirmed_writes == 0
    with flaky_database.read() as connection:
        types = [row.type for row in events.list_events(connection, lease.job_id)]
    assert types.count("attempt") == 1


@pytest.mark.usefixtures("_exit_raises")
@pytest.mark.parametrize(
    ("end", "outcome", "state"),
    [
        (attempts.succeed, {"epochs": 1}, "succeeded"),
        (attempts.fail, Failure(kind="diverged", message="", hint=""), "failed"),
    ],
)
def test_an_end_without_confirmation_is_recorded_once_and_the_worker_reads_it(
    flaky_database: FlakyDatabase,
    lease: Lease,
    end: Callable[..., None],
    outcome: object,
    state: str,
) -> None:
    flaky_database.unconfirmed_writes = 1

    with pytest.raises(SystemExit) as ended:
        write_with_retry(flaky_database, end, lease, outcome)

    assert ended.value.code == ExitCode.FENCED
    runner = Runner(lease, Device("cpu:0", "CPU"), pid=0, process=None)
    assert record_exit(runner, ExitCode.FENCED, flaky_database) == state
    assert job(flaky_database, lease).state == state
    with flaky_database.read() as connection:
        rows = events.list_events(connection, lease.job_id)
    assert [row.data.get("state") for row in rows] == ["queued", "running", state]


@pytest.mark.usefixtures("_exit_raises")
def test_a_fenced_attempt_ends_with_code_75_and_stores_nothing(
    flaky_database: FlakyDatabase, lease: Lease
) -> None:
    with flaky_database.write() as connection:
        attempts.stop(connection, lease, "worker_lost")

    result: dict[str, Any] = {}
    with pytest.raises(SystemExit) as ended:
        write_with_retry(flaky_database, attempts.succeed, lease, result)

    assert ended.value.code == 75
    with flaky_database.read() as connection:
        row = queries.get_job(connection, lease.job_id)
    assert row is not None
    assert row.state == "queued"
