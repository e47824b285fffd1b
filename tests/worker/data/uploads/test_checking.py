import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.worker.data.uploads.archives import checked, encoded, png, refusal, two_classes, zipped
from worker.data.uploads import check, open_upload


def test_facts_of_class_folders(tmp_path: Path) -> None:
    files = two_classes()
    files["cats/20.png"] = png(50, size=(40, 8))
    report = checked(zipped(tmp_path / "a.zip", files)).as_json()
    assert (report["kind"], report["task"], report["images"]) == ("images", "classification", 41)
    assert report["classes"][0] == {
        "name": "cats", "images": 21, "train": None, "validation": None, "test": None,
    }  # fmt: skip
    assert report["image_sizes"] == {"min": (12, 8), "median": (12, 10), "max": (40, 10)}
    assert report["channels"] == 3
    assert report["warnings"] == report["rejected"] == []


def test_classes_are_counted_by_split(tmp_path: Path) -> None:
    files = {
        f"{split}/{name}/{index}.png": png(zlib.crc32(f"{split}{name}{index}".encode()))
        for split, count in (("train", 30), ("val", 10), ("test", 5))
        for name in ("cats", "dogs")
        for index in range(count)
    }
    report = checked(zipped(tmp_path / "a.zip", files)).as_json()
    assert report["classes"] == [
        {"name": name, "images": 45, "train": 30, "validation": 10, "test": 5}
        for name in ("cats", "dogs")
    ]


def test_split_that_each_job_draws_has_no_counts(tmp_path: Path) -> None:
    files = {f"train/{name}": content for name, content in two_classes().items()}
    files |= {f"test/{name}/x.png": png(seed) for name, seed in (("cats", 77), ("dogs", 78))}
    report = checked(zipped(tmp_path / "a.zip", files)).as_json()
    assert report["classes"][0] == {
        "name": "cats", "images": 21, "train": 20, "validation": None, "test": 1,
    }  # fmt: skip


def test_set_without_training_images_is_rejected(tmp_path: Path) -> None:
    files = {f"test/{name}": content for name, content in two_classes().items()}
    assert "no picture in `train`" in refusal(zipped(tmp_path / "a.zip", files))[""]


def test_mean_and_deviation_count_every_image_the_same(tmp_path: Path) -> None:
    arrays = [np.full((4, 4), 0, np.uint8), np.full((100, 100), 255, np.uint8)]
    path = tmp_path / "a.zip"
    zipped(path, {f"{i}/a.png": encoded(Image.fromarray(a)) for i, a in enumerate(arrays)})
    report = checked(path)
    assert (report.channels, report.mean, report.std) == (1, [0.5], [0.5])


def test_progress_reaches_one(tmp_path: Path) -> None:
    fractions: list[float] = []
    upload = open_upload(zipped(tmp_path / "a.zip", two_classes()))
    check(upload, skip_bad=False, progress=fractions.append)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    upload.close()


def test_unreadable_file_rejects_the_upload_by_name(tmp_path: Path) -> None:
    files = two_classes() | {"cats/broken.png": png()[:200], "dogs/empty.jpg": b""}
    path = zipped(tmp_path / "a.zip", files)
    assert set(refusal(path)) == {"cats/broken.png", "dogs/empty.jpg"}


def test_unreadable_files_are_skipped_on_request(tmp_path: Path) -> None:
    files = two_classes() | {"cats/broken.png": png()[:200], "readme.txt": b"hello"}
    report = checked(zipped(tmp_path / "a.zip", files), skip_bad=True)
    assert report.images == 40
    assert {found["file"] for found in report.rejected} == {"cats/broken.png", "readme.txt"}
    assert [warning.rule for warning in report.warnings] == ["unreadable_files"]


@pytest.mark.parametrize("skip_bad", [False, True])
def test_one_class_is_rejected(tmp_path: Path, skip_bad: bool) -> None:
    files = {"cats/1.png": png(1), "cats/2.png": png(2)}
    if skip_bad:
        files["dogs/1.png"] = b"no picture"
    assert (
        "at least two classes" in refusal(zipped(tmp_path / "a.zip", files), skip_bad=skip_bad)[""]
    )


def test_small_class_is_a_warning(tmp_path: Path) -> None:
    files = two_classes() | {"birds/1.png": png(77)}
    report = checked(zipped(tmp_path / "a.zip", files))
    (warning,) = report.warnings
    assert warning.rule == "small_class"
    assert "`birds` (1)" in warning.detail


def test_class_that_is_absent_from_a_split_is_a_warning(tmp_path: Path) -> None:
    files = {f"train/{name}": content for name, content in two_classes().items()}
    files |= {"test/cats/a.png": png(55)}
    report = checked(zipped(tmp_path / "a.zip", files))
    (warning,) = report.warnings
    assert warning.rule == "class_absent_from_split"
    assert warning.detail == "The test split has no image of `dogs`"


def test_content_hash_changes_with_every_byte_and_name(tmp_path: Path) -> None:
    files = two_classes()
    hashes = {checked(zipped(tmp_path / "a.zip", files)).content_hash}
    hashes.add(checked(zipped(tmp_path / "a.zip", dict(reversed(files.items())))).content_hash)
    assert len(hashes) == 1
    hashes.add(checked(zipped(tmp_path / "a.zip", files | {"cats/1.png": png(99)})).content_hash)
    files["dogs/new.png"] = files.pop("dogs/1.png")
    hashes.add(checked(zipped(tmp_path / "a.zip", files)).content_hash)
    assert len(hashes) == 3
