from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from shared.database import Database
from shared.jobs import events, queries
from shared.jobs.attempts import Lease
from shared.jobs.events import NewEvent
from shared.jobs.recording import Batch
from shared.storage import Storage
from tests.fakes.database import FlakyDatabase
from tests.worker.jobs import claimed, last_checkpoint
from worker.runner.writer import AttemptWriter


@pytest.fixture
def lease(flaky_database: FlakyDatabase) -> Lease:
    return claimed(flaky_database)


@pytest.fixture
def writer(flaky_database: FlakyDatabase, lease: Lease, tmp_path: Path) -> AttemptWriter:
    return AttemptWriter(flaky_database, Storage(tmp_path / "jobs"), lease)


def _note(text: str) -> Batch:
    return Batch(events=[NewEvent("note", {"text": text})])


def _notes(database: Database, lease: Lease) -> list[str]:
    with database.read() as connection:
        rows = events.list_events(connection, lease.job_id)
    return [row.data["text"] for row in rows if row.type == "note"]


def test_batches_are_stored_and_tasks_are_run_in_order(
    writer: AttemptWriter, flaky_database: FlakyDatabase, lease: Lease
) -> None:
    stored: list[list[str]] = []

    def read() -> None:
        stored.append(_notes(flaky_database, lease))

    writer.put(_note("first"))
    writer.put(read)
    writer.put(lambda: _note("second"))
    writer.flush()

    assert stored == [["first"]]
    assert _notes(flaky_database, lease) == ["first", "second"]


def test_after_an_error_nothing_more_is_stored_and_the_error_is_raised(
    writer: AttemptWriter, flaky_database: FlakyDatabase, lease: Lease
) -> None:
    def fail() -> Batch:
        raise OSError(28, "No space left on device")

    writer.put(fail)
    writer.put(_note("too late"))
    writer.join()

    with pytest.raises(OSError, match="No space"):
        writer.raise_error()
    with pytest.raises(OSError, match="No space"):
        writer.flush()
    assert _notes(flaky_database, lease) == []


def test_batches_wait_until_the_database_is_available(
    writer: AttemptWriter, flaky_database: FlakyDatabase, lease: Lease
) -> None:
    flaky_database.refused_writes = 3

    writer.put(_note("stored"))
    writer.flush()

    assert flaky_database.refused_writes == 0
    assert _notes(flaky_database, lease) == ["stored"]


@pytest.mark.parametrize("unconfirmed_writes", [1, 3])
def test_a_batch_of_events_without_confirmation_is_stored_once(
    writer: AttemptWriter, flaky_database: FlakyDatabase, lease: Lease, unconfirmed_writes: int
) -> None:
    for text in ("first", "second"):
        flaky_database.unconfirmed_writes = unconfirmed_writes
        writer.put(_note(text))
        writer.flush()

    assert flaky_database.unconfirmed_writes == 0
    assert _notes(flaky_database, lease) == ["first", "second"]


def test_a_batch_that_contradicts_stored_rows_is_an_error_even_after_an_outage(
    writer: AttemptWriter, flaky_database: FlakyDatabase, lease: Lease
) -> None:
    writer.put(Batch(checkpoints=[last_checkpoint(3, "j/1/step-3")]))
    writer.flush()
    flaky_database.refused_writes = 1

    writer.put(Batch(checkpoints=[last_checkpoint(3, "j/1/step-3")], events=_note("lost").events))

    with pytest.raises(IntegrityError):
        writer.flush()
    assert _notes(flaky_database, lease) == []


def test_a_batch_with_a_checkpoint_without_confirmation_is_stored_once(
    writer: AttemptWriter, flaky_database: FlakyDatabase, lease: Lease
) -> None:
    flaky_database.unconfirmed_writes = 1
    batch = Batch(checkpoints=[last_checkpoint(3, "j/1/step-3")], events=_note("saved").events)

    writer.put(batch)
    writer.flush()

    assert _notes(flaky_database, lease) == ["saved"]
    with flaky_database.read() as connection:
        rows = queries.list_checkpoints(connection, lease.job_id)
    assert [(row.kind, row.step) for row in rows] == [("last", 3)]


@pytest.mark.parametrize("unconfirmed_writes", [0, 2])
def test_the_directory_of_a_replaced_checkpoint_is_deleted(
    writer: AttemptWriter, flaky_database: FlakyDatabase, tmp_path: Path, unconfirmed_writes: int
) -> None:
    names = [f"step-{step}" for step in (1, 2, 3)]
    for name in names:
        (tmp_path / "jobs" / name).mkdir(parents=True)
    for step, name in enumerate(names, 1):
        flaky_database.unconfirmed_writes = unconfirmed_writes
        writer.put(Batch(checkpoints=[last_checkpoint(step, name)]))
        writer.flush()

    remaining = {path.name for path in (tmp_path / "jobs").iterdir()}
    assert remaining == {"step-2", "step-3"}
