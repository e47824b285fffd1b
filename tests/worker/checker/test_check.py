"""The check of an upload, and the job that trains on it: the row is the truth."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared import uploaded_datasets
from shared.clock import now
from shared.database import Database
from shared.ids import new_id
from shared.settings import Settings
from shared.uploaded_datasets import DatasetRow
from tests.worker.data.uploads.archives import png, two_classes, zipped
from worker.checker.check import MAX_ATTEMPTS, check_dataset
from worker.data import DatasetMissing
from worker.data.loading import load_splits
from worker.dispatch.checks import Checks
from worker.locks import check_lock


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    made = Settings(home=tmp_path / "home", database_url=database_url)
    made.make_directories()
    uploaded_datasets.directory(made.home).mkdir()
    return made


def _add(
    settings: Settings, database: Database, files: dict[str, bytes], *, attempts: int = 0
) -> DatasetRow:
    row = DatasetRow(
        id=new_id("ds"), owner="admin", name="pets", version=1, bytes=1, skip_bad=False,
        target=None, path=None, state="checking", attempts=attempts, content_hash=None, report=None,
        created_at=now(),
    )  # fmt: skip
    zipped(uploaded_datasets.file(settings.home, row.reference), files)
    with database.write() as connection:
        uploaded_datasets.add(connection, row)
    return row


def _get(database: Database, row: DatasetRow) -> DatasetRow:
    with database.read() as connection:
        found = uploaded_datasets.get(connection, row.id)
    assert found is not None
    return found


def _load(settings: Settings, row: DatasetRow, **changes: Any) -> Any:
    spec = {"name": row.reference, "content_hash": row.content_hash, "image_size": 8}
    counts = {"channels": 3, "train": 20, "validation": 10, "test": 10}
    data_dir, cache_dir = settings.home / "data", settings.home / "cache"
    return load_splits(
        {**spec, **counts, **changes}, seed=0, data_dir=data_dir, cache_dir=cache_dir
    )


def test_checked_upload_is_ready_and_trains_like_any_other(
    settings: Settings, database: Database
) -> None:
    row = _add(settings, database, two_classes())
    check_dataset(row.id, settings, database)
    row = _get(database, row)
    assert (row.state, row.attempts) == ("ready", 1)
    assert row.report is not None
    assert row.report["images"] == 40
    dataset, indices = _load(settings, row)
    assert dataset.images.shape == (40, 3, 8, 8)
    assert dataset.class_names == ("cats", "dogs")
    assert np.bincount(dataset.labels[indices.test]).tolist() == [5, 5]


def test_own_splits_stay_apart(settings: Settings, database: Database) -> None:
    names = [
        f"{split}/{name}/{index}.png"
        for split, count in (("train", 10), ("val", 5), ("test", 5))
        for name in ("cats", "dogs")
        for index in range(count)
    ]
    files = {name: png(seed) for seed, name in enumerate(names)}
    row = _add(settings, database, files)
    check_dataset(row.id, settings, database)
    row = _get(database, row)
    assert (row.facts().train, row.facts().validation, row.facts().test) == (20, 10, 10)
    _, indices = _load(settings, row)
    assert indices.train.tolist() == [*range(20)]
    assert indices.validation.tolist() == [*range(20, 30)]
    assert indices.test.tolist() == [*range(30, 40)]


def test_rejected_upload_says_which_file_is_damaged(settings: Settings, database: Database) -> None:
    row = _add(settings, database, two_classes() | {"cats/bad.png": b"no picture"})
    check_dataset(row.id, settings, database)
    row = _get(database, row)
    assert row.state == "rejected"
    assert row.report is not None
    assert [found["file"] for found in row.report["rejected"]] == ["cats/bad.png"]


def test_killed_check_is_started_again_by_the_dispatcher(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINSHED_DATABASE_URL", settings.database_url)
    row = _add(settings, database, two_classes())
    checks = Checks(settings, database)
    checks.tick()
    assert checks.process is not None
    os.kill(checks.process.pid, signal.SIGKILL)
    checks.process.wait()
    assert _get(database, row).state == "checking"
    checks.tick()
    checks.notify()
    checks.tick()
    assert checks.process is not None
    assert checks.process.wait() == 0
    assert _get(database, row).state == "ready"
    checks.tick()
    assert checks.process is None


def test_upload_that_ends_its_checker_again_and_again_is_rejected(
    settings: Settings, database: Database
) -> None:
    row = _add(settings, database, two_classes(), attempts=MAX_ATTEMPTS)
    check_dataset(row.id, settings, database)
    row = _get(database, row)
    assert row.state == "rejected"
    assert row.report is not None
    assert "without a result" in row.report["rejected"][0]["detail"]


def test_two_checks_of_one_upload_do_not_meet(settings: Settings, database: Database) -> None:
    row = _add(settings, database, two_classes())
    lock = check_lock(settings, row.id)
    assert lock.acquire()
    check_dataset(row.id, settings, database)
    assert (_get(database, row).state, _get(database, row).attempts) == ("checking", 0)
    checks = Checks(settings, database)
    checks.tick()
    assert checks.process is None


def test_version_deleted_during_its_check_leaves_no_facts(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = _add(settings, database, two_classes())

    def check_and_delete(*_: Any, **options: Any) -> Any:
        with database.write() as connection:
            uploaded_datasets.delete(connection, [row])
        return check(*_, **options)

    from worker.checker import check as module  # noqa: PLC0415

    check = module.check
    monkeypatch.setattr(module, "check", check_and_delete)
    check_dataset(row.id, settings, database)
    assert not uploaded_datasets.facts_file(settings.home, row.reference).exists()


class TestChangedSet:
    """A set that is not what the job was submitted with."""

    def test_deleted_or_changed_file_is_missing(
        self, settings: Settings, database: Database
    ) -> None:
        row = _add(settings, database, two_classes())
        check_dataset(row.id, settings, database)
        row = _get(database, row)
        with pytest.raises(DatasetMissing, match="has changed"):
            _load(settings, row, content_hash=f"sha256:{'0' * 64}")
        path = uploaded_datasets.file(settings.home, row.reference)
        zipped(path, two_classes(21))
        with pytest.raises(DatasetMissing, match="has changed"):
            _load(settings, row)
        path.unlink()
        with pytest.raises(DatasetMissing, match="was deleted"):
            _load(settings, row)


def test_memory_of_the_checker_is_limited() -> None:
    code = (
        "from worker.checker.__main__ import limit_checker; limit_checker()\n"
        "try: bytearray(2**31)\nexcept MemoryError: print('limited')"
    )
    command = [sys.executable, "-c", code]
    root = Path(__file__).parents[3]
    assert subprocess.check_output(command, cwd=root, text=True) == "limited\n"
