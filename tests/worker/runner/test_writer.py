"""What the scribe stores, in which order, and what it does while the database is away."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from shared import migrations
from shared.database import Database
from shared.errors import Failure, Unavailable
from shared.jobs import attempts, events, queries
from shared.jobs.attempts import Lease
from shared.jobs.events import NewEvent
from shared.jobs.recording import Batch
from shared.jobs.resumption import begin_attempt
from shared.storage import Storage
from tests.worker.jobs import claimed, job, last_checkpoint
from worker.assignment import ExitCode
from worker.dispatch.devices import Device
from worker.dispatch.runners import Runner, record_exit
from worker.runner import writer as module
from worker.runner.writer import Writer, write_with_retry


class FlakyDatabase(Database):
    """A real one whose next writes fail, before they reach it or after they were stored."""

    before = 0
    after = 0

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        if self.before:
            self.before -= 1
            raise Unavailable
        with super().write() as connection:
            yield connection
        if self.after:
            self.after -= 1
            raise Unavailable


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyDatabase]:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    opened = FlakyDatabase(f"sqlite:///{tmp_path / 'test.db'}", pool_size=3)
    migrations.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def lease(database: FlakyDatabase) -> Lease:
    return claimed(database)


@pytest.fixture
def scribe(database: FlakyDatabase, lease: Lease, tmp_path: Path) -> Writer:
    return Writer(database, Storage(tmp_path / "jobs"), lease)


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would end this process raises `SystemExit`."""

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", leave)


def _note(text: str) -> Batch:
    return Batch(events=[NewEvent("note", {"text": text})])


def _notes(database: Database, lease: Lease) -> list[str]:
    with database.read() as connection:
        rows = events.list_events(connection, lease.job_id)
    return [row.data["text"] for row in rows if row.type == "note"]


def test_everything_is_stored_in_order_and_tasks_run_in_their_turn(
    scribe: Writer, database: FlakyDatabase, lease: Lease
) -> None:
    seen: list[list[str]] = []

    def look() -> None:
        seen.append(_notes(database, lease))

    scribe.put(_note("first"))
    scribe.put(look)
    scribe.put(lambda: _note("second"))
    scribe.flush()

    assert seen == [["first"]]
    assert _notes(database, lease) == ["first", "second"]


def test_an_error_on_the_thread_is_raised_at_the_next_step_and_stops_the_writing(
    scribe: Writer, database: FlakyDatabase, lease: Lease
) -> None:
    def fill_the_disk() -> Batch:
        raise OSError(28, "No space left on device")

    scribe.put(fill_the_disk)
    scribe.put(_note("too late"))
    scribe.settle()

    with pytest.raises(OSError, match="No space"):
        scribe.check()
    with pytest.raises(OSError, match="No space"):
        scribe.flush()
    assert _notes(database, lease) == []


def test_what_cannot_be_stored_waits_until_the_database_is_back(
    scribe: Writer, database: FlakyDatabase, lease: Lease
) -> None:
    database.before = 3

    scribe.put(_note("patient"))
    scribe.flush()

    assert database.before == 0
    assert _notes(database, lease) == ["patient"]


@pytest.mark.parametrize("answers_lost", [1, 3])
def test_a_batch_of_events_alone_whose_answer_was_lost_is_stored_once(
    scribe: Writer, database: FlakyDatabase, lease: Lease, answers_lost: int
) -> None:
    for text in ("first", "second"):
        database.after = answers_lost
        scribe.put(_note(text))
        scribe.flush()

    assert database.after == 0
    assert _notes(database, lease) == ["first", "second"]


def test_a_batch_that_contradicts_what_is_stored_is_an_error_also_after_an_outage(
    scribe: Writer, database: FlakyDatabase, lease: Lease
) -> None:
    scribe.put(Batch(checkpoints=[last_checkpoint(3, "j/1/step-3")]))
    scribe.flush()
    database.before = 1

    scribe.put(Batch(checkpoints=[last_checkpoint(3, "j/1/step-3")], events=_note("lost").events))

    with pytest.raises(IntegrityError):
        scribe.flush()
    assert _notes(database, lease) == []


def test_a_batch_whose_answer_was_lost_is_stored_once(
    scribe: Writer, database: FlakyDatabase, lease: Lease
) -> None:
    database.after = 1
    batch = Batch(checkpoints=[last_checkpoint(3, "j/1/step-3")], events=_note("saved").events)

    scribe.put(batch)
    scribe.flush()

    assert _notes(database, lease) == ["saved"]
    with database.read() as connection:
        rows = queries.list_checkpoints(connection, lease.job_id)
    assert [(row.kind, row.step) for row in rows] == [("last", 3)]


@pytest.mark.parametrize("answers_lost", [0, 2])
def test_the_directory_of_a_checkpoint_that_was_replaced_is_deleted(
    scribe: Writer, database: FlakyDatabase, tmp_path: Path, answers_lost: int
) -> None:
    names = [f"step-{step}" for step in (1, 2, 3)]
    for name in names:
        (tmp_path / "jobs" / name).mkdir(parents=True)
    for step, name in enumerate(names, 1):
        database.after = answers_lost
        scribe.put(Batch(checkpoints=[last_checkpoint(step, name)]))
        scribe.flush()

    left = {path.name for path in (tmp_path / "jobs").iterdir()}
    assert left == {"step-2", "step-3"}


def test_a_beginning_whose_answer_was_lost_is_told_once(
    database: FlakyDatabase, lease: Lease
) -> None:
    database.after = 1

    write_with_retry(database, lambda c: begin_attempt(c, lease, first_step=0, fingerprint={}))

    assert database.after == 0
    with database.read() as connection:
        kinds = [row.type for row in events.list_events(connection, lease.job_id)]
    assert kinds.count("attempt") == 1


@pytest.mark.usefixtures("ending")
@pytest.mark.parametrize(
    ("end", "said", "state"),
    [
        (attempts.succeed, {"epochs": 1}, "succeeded"),
        (attempts.fail, Failure(kind="diverged", message="", hint=""), "failed"),
    ],
)
def test_an_end_whose_answer_was_lost_stands_and_the_worker_reads_it(
    database: FlakyDatabase, lease: Lease, end: Callable[..., None], said: object, state: str
) -> None:
    database.after = 1

    with pytest.raises(SystemExit) as ended:
        write_with_retry(database, end, lease, said)

    assert ended.value.code == ExitCode.FENCED
    runner = Runner(lease, Device("cpu:0", "CPU"), pid=0, process=None)
    assert record_exit(runner, ExitCode.FENCED, database) == state
    assert job(database, lease).state == state
    with database.read() as connection:
        told = [row.data.get("state") for row in events.list_events(connection, lease.job_id)]
    assert told == ["queued", "running", state]


@pytest.mark.usefixtures("ending")
def test_a_fenced_attempt_ends_with_75_and_stores_nothing(
    database: FlakyDatabase, lease: Lease
) -> None:
    with database.write() as connection:
        attempts.stop(connection, lease, "worker_lost")

    result: dict[str, Any] = {}
    with pytest.raises(SystemExit) as ended:
        write_with_retry(database, attempts.succeed, lease, result)

    assert ended.value.code == 75
    with database.read() as connection:
        row = queries.get_job(connection, lease.job_id)
    assert row is not None
    assert row.state == "queued"
