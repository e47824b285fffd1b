"""A backup is consistent whatever happens while it is written."""

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from api.backup.archive import read_manifest
from api.backup.kept_files import KeptFiles
from api.backup.writing import write_backup
from shared import tables
from shared.database import Database
from shared.errors import Conflict, Unavailable
from shared.settings import Settings
from tests.api.backup.conftest import BackedUpBox, fill


@pytest.fixture
def own_box(tmp_path: Path) -> BackedUpBox:
    """A box that a test may change."""
    return fill(Settings(home=tmp_path))


def back_up(box: BackedUpBox, target: Any = None) -> tuple[dict[str, Any], set[str]]:
    """Write a backup; return its manifest and the names of its parts."""
    path = box.settings.home / "second.tar"
    with path.open("wb") as file:
        write_backup(box.settings, target(file) if target else file)
    with tarfile.open(path) as tar:
        return read_manifest(path), set(tar.getnames())


class DeletesFirst(io.RawIOBase):
    """A receiver during whose first write the files of a job are deleted."""

    def __init__(self, file: Any, weights: Path) -> None:
        self.file = file
        self.weights = weights

    def write(self, data: Any) -> int:
        self.weights.unlink(missing_ok=True)
        return self.file.write(data)


def test_file_that_is_deleted_during_the_copy_is_in_the_backup(own_box: BackedUpBox) -> None:
    weights = f"{own_box.ended}/1/step-10/weights.safetensors"
    path = own_box.settings.storage / weights
    manifest, names = back_up(own_box, lambda file: DeletesFirst(file, path))
    assert not path.exists()
    assert f"storage/{weights}" in names
    assert manifest["missing"] == []
    assert sorted(each.name for each in own_box.settings.storage.glob(".backup*")) == [
        ".backup-last",
        ".backup.lock",
    ]


def test_job_that_is_deleted_before_its_files_are_linked_is_not_in_the_backup(
    own_box: BackedUpBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = own_box.settings.storage / own_box.ended / "1/step-10/weights.safetensors"
    database, link, turns = Database(own_box.settings.database), KeptFiles.link, []

    def delete_and_link(self: KeptFiles, connection: sa.Connection) -> list[str]:
        connection.execute(sa.select(tables.jobs.c.id)).all()  # the state that is read
        if not turns:
            with database.write() as other:
                other.execute(sa.delete(tables.jobs).where(tables.jobs.c.id == own_box.ended))
            weights.unlink()
        turns.append(link(self, connection))
        return turns[-1]

    monkeypatch.setattr(KeptFiles, "link", delete_and_link)
    manifest, _ = back_up(own_box)
    database.close()
    assert [len(each) for each in turns] == [1, 0]
    assert (manifest["tables"]["jobs"]["rows"], manifest["missing"]) == (1, [])


def test_missing_file_is_named_and_stops_nothing(own_box: BackedUpBox) -> None:
    directory = f"{own_box.ended}/1/step-10"
    (own_box.settings.storage / directory / "weights.safetensors").unlink()
    manifest, _ = back_up(own_box)
    assert manifest["missing"] == [f"storage/{directory}/manifest.json"]


def test_one_backup_is_made_at_a_time(own_box: BackedUpBox) -> None:
    class Receiver(io.BytesIO):
        def write(self, data: Any) -> int:
            with pytest.raises(Conflict, match="Another backup"):
                write_backup(own_box.settings, io.BytesIO())
            return super().write(data)

    assert write_backup(own_box.settings, Receiver())["rows"] > 0


@pytest.mark.parametrize("has_directories", [False, True])
def test_box_that_never_started_has_no_backup(tmp_path: Path, has_directories: bool) -> None:
    settings = Settings(home=tmp_path)
    if has_directories:
        settings.make_directories()
    with pytest.raises(Unavailable, match="nothing to back up"):
        write_backup(settings, io.BytesIO())
