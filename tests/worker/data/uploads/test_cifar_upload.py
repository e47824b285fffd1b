"""The published archives of CIFAR-10 as uploads, made here in their layouts with a few images."""

import io
import pickle
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.datasets import CIFAR10
from tests.worker.data.uploads.archives import checked, refusal
from worker.data.uploads import TableUpload, open_upload, read_images
from worker.data.uploads.cifar_upload import FILES

EACH = 10
IMAGES = {
    name: np.random.default_rng(seed).integers(0, 256, (EACH, 3072), np.uint8)
    for seed, name in enumerate(FILES)
}
LABELS = list(range(EACH))


def _archive(path: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def _of_python(name: str, **changes: Any) -> bytes:
    """Return a batch as a program in Python 2 wrote it: protocol 2, text as bytes."""
    batch = {b"batch_label": b"batch", b"labels": LABELS, b"data": IMAGES[name]}
    return pickle.dumps({**batch, **{k.encode(): v for k, v in changes.items()}}, protocol=2)


def _binary(name: str) -> bytes:
    labels = np.array(LABELS, np.uint8)[:, None]
    return np.hstack([labels, IMAGES[name]]).tobytes()


def _python_files() -> dict[str, bytes]:
    return {name: _of_python(name) for name in FILES} | {"batches.meta": b"", "readme.html": b"<p>"}


@pytest.mark.parametrize("version", ["python", "binary"])
def test_published_archive_has_its_classes_splits_and_pixels(tmp_path: Path, version: str) -> None:
    files = _python_files()
    if version == "binary":
        files = {f"{name}.bin": _binary(name) for name in FILES}
    path = _archive(tmp_path / "upload", files)
    report = checked(path)
    assert (report.images, report.channels) == (60, 3)
    assert tuple(found.name for found in report.classes) == CIFAR10.classes
    assert {(found.train, found.test) for found in report.classes} == {(5, 1)}
    upload = open_upload(path)
    assert not isinstance(upload, TableUpload)
    content = read_images(upload, image_size=32, channels=3).content
    images_NCHW = np.concatenate(list(content.blocks))
    expected = np.concatenate([IMAGES[name] for name in FILES]).reshape(-1, 3, 32, 32)
    assert np.array_equal(images_NCHW, expected)
    assert content.first_test == 50
    assert content.labels.tolist() == LABELS * 6


def test_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (str(tmp_path / "executed"),))

    files = _python_files() | {"data_batch_3": pickle.dumps({b"data": Evil(), b"labels": []})}
    detail = refusal(_archive(tmp_path / "upload", files))["data_batch_3"]
    assert "refers to" in detail
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02",
        b"\x80\x02K\x01.",
        pickle.dumps({b"labels": LABELS}),
        _of_python("test_batch", labels=[*range(9), 10]),
        _of_python("test_batch", labels=LABELS[:-1]),
        _of_python("test_batch", data=IMAGES["test_batch"].astype(np.float32)),
        _of_python("test_batch", data=IMAGES["test_batch"][:, :100]),
        _of_python("test_batch", data=np.array([[object()]])),
        _of_python("test_batch")[:-200],
    ],
)
def test_damaged_batch_is_named(tmp_path: Path, content: bytes) -> None:
    files = _python_files() | {"test_batch": content}
    assert list(refusal(_archive(tmp_path / "upload", files))) == ["test_batch"]


def test_other_compressed_archives_are_refused(tmp_path: Path) -> None:
    path = _archive(tmp_path / "upload", {"cats/1.png": b"x"})
    assert "no zip" in refusal(path)[""]
    path.write_bytes(path.read_bytes()[:-20])
    assert "no zip" in refusal(path)[""]
    path.write_bytes(b"\x1f\x8b")
    assert "no zip" in refusal(path)[""]
