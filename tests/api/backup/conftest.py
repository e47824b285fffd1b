"""A box with a job of every kind of state and file, and its backup, made once for each database."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.backup.writing import write_backup
from shared import migrations, uploaded_datasets
from shared.database import Database
from shared.jobs import attempts
from shared.jobs.attempts import Lease
from shared.jobs.recording import Batch, record
from shared.jobs.submission import Submission, submit
from shared.settings import Settings
from shared.storage import Storage
from tests.api.service import checkpoint_row, metric_row
from tests.conftest import postgresql_database
from tests.shared.claiming import claim
from tests.shared.specs import filled_in


@dataclass(frozen=True)
class BackedUpBox:
    """A box, the file of its backup, and its jobs."""

    settings: Settings
    backup: Path
    ended: str
    running: str


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def box(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BackedUpBox]:
    home = tmp_path_factory.mktemp("box")
    if request.param == "sqlite":
        yield fill(Settings(home=home))
    else:
        with postgresql_database(request.getfixturevalue("postgresql_away")) as address:
            yield fill(Settings(home=home, database_url=address))


def fill(settings: Settings) -> BackedUpBox:
    """Fill an empty box and back it up."""
    settings.make_directories()
    database = Database(settings.database)
    migrations.upgrade(database)
    ended, running = start(database), start(database)
    with database.write() as connection:
        rows = [metric_row("train_loss", step, value) for step, value in VALUES.items()]
        directory = f"{ended.job_id}/1/step-10"
        checkpoint = checkpoint_row("last", directory=directory)
        record(connection, ended, Batch(metrics=rows, checkpoints=[checkpoint]))
        attempts.succeed(connection, ended, {})
    database.close()
    storage = Storage(settings.storage)
    write(storage.root / directory / "weights.safetensors", b"weights")
    write(storage.log(running.job_id, 1), b"a line\n")
    write(storage.attempt(running.job_id, 1) / "step-9.tmp-1" / "state", b"unfinished")
    write(uploaded_datasets.file(settings.home, "unlisted@1"), b"of no row")
    backup = settings.home / "backup.tar"
    with backup.open("wb") as file:
        write_backup(settings, file)
    return BackedUpBox(settings, backup, ended.job_id, running.job_id)


#: Of a metric, by step.
VALUES = {1: 0.5, 2: float("inf"), 3: float("nan")}


def start(database: Database) -> Lease:
    """Submit a job and claim it."""
    with database.write() as connection:
        submit(connection, Submission(owner="admin", spec=filled_in(name="Grüße %s")))
    with database.write() as connection:
        claimed = claim(connection)
    assert claimed is not None
    return claimed.lease


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
