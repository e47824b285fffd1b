"""An upgrade and a restoration while jobs train: they resume, and end like undisturbed jobs."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api.backup.restoring import restore
from api.backup.writing import write_backup
from box.parts import ROOT
from shared import migrations
from tests.box_driver import BoxDriver
from tests.conftest import postgresql_database
from tests.faults.conftest import SPEC

pytestmark = pytest.mark.faults

#: The revision of an earlier version, with the tables of which a drained job must be migrated.
EARLIER = "0016"
DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)]


@contextmanager
def a_box(database_url: str = "", **settings: str) -> Iterator[BoxDriver]:
    """Yield a box without a broker, which it does not need."""
    home = Path(tempfile.mkdtemp(prefix="trainshed-upgrade-"))
    if database_url:
        settings["TRAINSHED_DATABASE_URL"] = database_url
    driver = BoxDriver(home, **settings)
    try:
        yield driver
    finally:
        driver.close()
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def database_of(kind: str, away: str | None) -> Iterator[str]:
    """Yield the address of an empty database; empty for SQLite in the box's home."""
    if kind == "sqlite":
        yield ""
    else:
        with postgresql_database(away) as address:
            yield address


def start_training(box: BoxDriver) -> str:
    """Start a worker and a job; return the id when the job has a checkpoint."""
    box.start("worker")
    job_id = box.submit(SPEC, notify=False)
    box.wait_until(lambda: box.last_step(job_id) > 0, "a checkpoint")
    return job_id


@pytest.mark.parametrize("kind", DATABASES)
def test_job_that_runs_during_an_upgrade_has_the_outcome_of_an_undisturbed_job(
    kind: str, postgresql_away: str | None, undisturbed: dict[str, Any]
) -> None:
    with database_of(kind, postgresql_away) as address, a_box(address) as box:
        job_id = start_training(box)
        assert box.end("worker") == 0
        assert (box.job(job_id).state, box.job(job_id).reason) == ("queued", "drained")
        drained_at = box.last_step(job_id)
        # What the earlier version leaves, and what the newer version then does first.
        migrations.downgrade(box.database, EARLIER)
        box.database.close()
        command = [sys.executable, "-m", "shared.migrations"]
        environment = {**box.environment, "PATH": "/usr/bin:/bin"}
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
        box.start("worker")
        job = box.finish(job_id)
        assert job.state == "succeeded", job.failure
        assert [row.outcome for row in box.attempts(job_id)] == ["drained", "completed"]
        assert box.attempts(job_id)[1].first_step == drained_at
        assert box.outcome(job_id) == undisturbed


@pytest.mark.long
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_job_of_a_restored_backup_has_the_outcome_of_an_undisturbed_job(
    kind: str, postgresql_away: str | None, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "box.tar"
    with database_of(kind, postgresql_away) as address, a_box(address) as box:
        job_id = start_training(box)
        with file.open("wb") as target:
            write_backup(box.settings, target)
        assert box.job(job_id).state == "running"
    with database_of(kind, postgresql_away) as address:
        home = tmp_path / "restored"
        settings = box.settings.model_copy(update={"home": home, "database_url": address})
        restore(settings, file)
        further = {"TRAINSHED_DATABASE_URL": address} if address else {}
        restored = BoxDriver(home, **further)
        try:
            assert restored.job(job_id).state == "queued"
            restored.start("worker")
            job = restored.finish(job_id)
            assert job.state == "succeeded", job.failure
            assert restored.outcome(job_id) == undisturbed
        finally:
            restored.close()
