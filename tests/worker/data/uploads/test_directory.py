import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from tests.worker.data.uploads.archives import checked, png, refusal, two_classes, zipped
from worker.data.uploads import fingerprint, open_upload, read_images


def _directory(path: Path) -> Path:
    for name, content in two_classes().items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def test_directory_has_the_facts_and_images_of_its_archive(tmp_path: Path) -> None:
    directory = _directory(tmp_path / "set")
    archive = zipped(tmp_path / "a.zip", two_classes())
    assert checked(directory) == checked(archive)
    pixels = [
        np.concatenate(
            list(read_images(open_upload(path), image_size=8, channels=3).content.blocks)
        )
        for path in (directory, archive)
    ]
    assert np.array_equal(*pixels)


def test_ignored_files_and_decomposed_names(tmp_path: Path) -> None:
    directory = _directory(tmp_path / "set")
    folder = directory / unicodedata.normalize("NFD", "été")
    folder.mkdir()
    (folder / "1.png").write_bytes(png(5))
    for name in (".DS_Store", "cats/Thumbs.db", "dogs/._1.png"):
        (directory / name).write_bytes(b"system")
    assert [found.name for found in checked(directory).classes] == ["cats", "dogs", "été"]


@pytest.mark.parametrize("kind", ["file", "folder", "fifo"])
def test_links_and_special_files_are_refused(tmp_path: Path, kind: str) -> None:
    directory = _directory(tmp_path / "set")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/1.png").write_bytes(png(5))
    if kind == "file":
        (directory / "cats/x.png").symlink_to(tmp_path / "secret/1.png")
    elif kind == "folder":
        (directory / "secret").symlink_to(tmp_path / "secret")
    else:
        os.mkfifo(directory / "cats/x.png")
    (detail,) = refusal(directory, skip_bad=True).values()
    assert "link or a device" in detail


def test_file_that_becomes_a_link_is_not_followed(tmp_path: Path) -> None:
    directory = _directory(tmp_path / "set")
    upload = open_upload(directory)
    (tmp_path / "1.png").write_bytes(png(5))
    (directory / "cats/1.png").unlink()
    (directory / "cats/1.png").symlink_to(tmp_path / "1.png")
    (bad,) = [p for p in upload.pictures() if p.file == "cats/1.png"]
    with pytest.raises(Exception, match="link"):
        bad.read()


def test_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    directory = _directory(tmp_path / "set")
    Path(os.fsdecode(os.fsencode(directory) + b"/cats/\xff.png")).write_bytes(png(5))
    assert list(refusal(directory)) == ["cats/\\udcff.png"]


def test_fingerprint_changes_with_any_file(tmp_path: Path) -> None:
    directory = _directory(tmp_path / "set")
    seen = [fingerprint(directory), fingerprint(directory)]
    assert seen[0] == seen[1]
    os.utime(directory / "cats/1.png", ns=(1, 1))
    seen.append(fingerprint(directory))
    (directory / "cats/new.png").write_bytes(png(9))
    seen.append(fingerprint(directory))
    (directory / "dogs/1.png").rename(directory / "dogs/one.png")
    seen.append(fingerprint(directory))
    assert len(set(seen)) == 4
