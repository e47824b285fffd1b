"""A restored box is the box that was backed up; what cannot be restored leaves nothing behind."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from api.backup import restoring, rows
from api.backup.__main__ import REFUSED, main
from api.backup.restoring import restore
from shared import tables
from shared.database import Database
from shared.errors import Conflict, DamagedFile, DiskFull, ServiceError
from shared.settings import Settings
from tests.api.backup.conftest import BackedUpBox, fill
from tests.api.service import metric_row
from tests.conftest import postgresql_database

#: Tables that a restoration changes: the job that ran is queued, and no worker is here.
CHANGED = {"jobs", "attempts", "events", "workers", "leases"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def target(
    request: pytest.FixtureRequest, box: BackedUpBox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """The box to which the backup was restored, once with each database."""
    home = tmp_path_factory.mktemp("restored")
    if request.param == "sqlite":
        restore(settings := Settings(home=home), box.backup)
        yield settings
    else:
        with postgresql_database(request.getfixturevalue("postgresql_away")) as address:
            restore(settings := Settings(home=home, database_url=address), box.backup)
            yield settings


def content(database: Database) -> dict[str, list[list[Any]]]:
    """Return all rows of all tables, as a backup has them."""
    with database.read() as connection:
        return {
            table: sorted(map(_comparable, rows.read(connection, table, columns)), key=repr)
            for table, columns in rows.columns_of(connection).items()
        }


def job_of(database: Database, job_id: str) -> dict[str, Any]:
    query = sa.select(tables.jobs).where(tables.jobs.c.id == job_id)
    with database.read() as connection:
        return dict(connection.execute(query).mappings().one())


def _comparable(row: list[Any]) -> list[Any]:
    return [int(value) if isinstance(value, bool) else value for value in row]


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database, pool_size=2)
    yield database
    database.close()


def test_restored_box_has_every_row_and_file(box: BackedUpBox, target: Settings) -> None:
    with opened(box.settings) as source, opened(target) as restored_database:
        before, after = content(source), content(restored_database)
        ended, restored_job = (job_of(each, box.ended) for each in (source, restored_database))
    assert before.keys() == after.keys()
    same = before.keys() - CHANGED
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    revision = ended["revision"] + restoring.REVISION_GAP
    assert restored_job == ended | {"revision": revision}, "an ETag of before is not valid again"
    kept = {box.ended: "1/step-10/weights.safetensors", box.running: "1/log.txt"}
    for job_id, file in kept.items():
        restored = target.storage / job_id / file
        assert restored.read_bytes() == (box.settings.storage / job_id / file).read_bytes()
    files = [path.name for path in target.storage.rglob("*") if path.is_file()]
    assert sorted(files) == ["log.txt", "weights.safetensors"]


def test_job_that_ran_is_queued_and_nobody_is_charged_for_the_time_since(
    box: BackedUpBox, target: Settings
) -> None:
    with opened(target) as database, database.read() as connection:
        jobs, attempts = tables.jobs.c, tables.attempts.c
        job = connection.execute(sa.select(tables.jobs).where(jobs.id == box.running)).one()
        attempt = connection.execute(
            sa.select(tables.attempts).where(attempts.job_id == box.running)
        ).one()
    assert (job.state, job.reason, attempt.outcome) == ("queued", "drained", "drained")
    assert attempt.ended_at == (attempt.charged_until or attempt.started_at)


def test_no_id_of_a_metric_is_given_again(box: BackedUpBox, target: Settings) -> None:
    """Tracking remembers the last id that it has copied."""
    with opened(target) as database:
        with database.write() as connection:
            largest = connection.execute(sa.select(sa.func.max(tables.metrics.c.id))).scalar_one()
            connection.execute(sa.delete(tables.metrics))
        row = vars(metric_row("train_loss", 9, 0.1)) | {"job_id": box.ended, "attempt": 1}
        names = tables.metrics.c.keys()
        with database.write() as connection:
            insert = sa.insert(tables.metrics).returning(tables.metrics.c.id)
            values = {name: value for name, value in row.items() if name in names}
            new = connection.execute(insert, values).scalar_one()
    assert new > largest


@pytest.fixture
def empty(tmp_path: Path) -> Settings:
    """An empty box with SQLite."""
    return Settings(home=tmp_path / "restored")


@pytest.fixture(scope="module")
def sqlite_box(tmp_path_factory: pytest.TempPathFactory) -> BackedUpBox:
    """A box with SQLite: what is refused is the same with each database."""
    return fill(Settings(home=tmp_path_factory.mktemp("box")))


def check_nothing_is_left(settings: Settings) -> None:
    found = [path for path in settings.storage.rglob("*") if path.is_file()]
    assert found == []
    with opened(settings) as database, database.read() as connection:
        assert sa.inspect(connection).get_table_names() == []


@pytest.mark.parametrize("place", [0.0, 0.3, 0.9, 0.99])
@pytest.mark.parametrize("damage", ["truncated", "changed"])
def test_damaged_backup_is_refused(
    sqlite_box: BackedUpBox, empty: Settings, tmp_path: Path, damage: str, place: float
) -> None:
    data = bytearray(sqlite_box.backup.read_bytes().rstrip(b"\0"))
    at = int(place * len(data))
    if damage == "truncated":
        del data[at:]
    else:
        data[at] ^= 0xFF
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(data + (b"" if damage == "truncated" else bytes(10_240)))
    with pytest.raises(DamagedFile, match=r"damaged|truncated"):
        restore(empty, damaged)
    assert not empty.home.exists()


def test_backup_of_a_newer_version_is_refused(
    sqlite_box: BackedUpBox, empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = {"revision": "9999"}
    monkeypatch.setattr(restoring, "read_manifest", lambda _: manifest)
    with pytest.raises(DamagedFile, match="newer version"):
        restore(empty, sqlite_box.backup)


def test_box_in_use_is_refused(sqlite_box: BackedUpBox, empty: Settings) -> None:
    with pytest.raises(Conflict, match="not empty: the database has tables"):
        restore(sqlite_box.settings, sqlite_box.backup)
    empty.make_directories()
    foreign = empty.storage / "job_1" / "weights"
    foreign.parent.mkdir()
    foreign.write_text("somebody's")
    with pytest.raises(Conflict, match="not empty: there are files"):
        restore(empty, sqlite_box.backup)
    assert foreign.read_text() == "somebody's"


def test_full_disk_is_refused(
    sqlite_box: BackedUpBox, empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(sqlite_box.settings.home)._replace(free=2**10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DiskFull, match="0 MiB free"):
        restore(empty, sqlite_box.backup)
    check_nothing_is_left(empty)


def test_restoration_that_fails_at_its_end_leaves_nothing(
    sqlite_box: BackedUpBox, empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Any) -> None:
        raise ServiceError("broken")

    with monkeypatch.context() as patched:
        patched.setattr(restoring, "_queue_running", fail)
        with pytest.raises(ServiceError, match="broken"):
            restore(empty, sqlite_box.backup)
    check_nothing_is_left(empty)
    # What a killed restoration left is no obstacle either.
    (empty.storage / restoring.MARK).touch()
    half = empty.storage / "job_1" / "weights"
    half.parent.mkdir()
    half.write_text("half")
    restore(empty, sqlite_box.backup)
    assert not half.exists()
    assert not (empty.storage / restoring.MARK).exists()


def test_command_says_why_it_refuses(
    sqlite_box: BackedUpBox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRAINSHED_HOME", str(sqlite_box.settings.home))
    assert main(["restore", str(sqlite_box.backup)]) == REFUSED
    assert capsys.readouterr().err.startswith("The box is not empty")
