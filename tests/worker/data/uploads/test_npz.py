import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.worker.data.uploads.archives import checked, refusal
from worker.data.uploads import open_upload, read_images

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (60, 8, 8), np.uint8)
COLOUR = RANDOM.integers(0, 256, (60, 8, 6, 3), np.uint8)
LABELS = np.arange(60) % 3


def _saved(path: Path, *, compressed: bool = True, **arrays: object) -> Path:
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


def _pixels(path: Path, **options: int) -> np.ndarray:
    upload = open_upload(path)
    images = read_images(upload, **({"image_size": 8, "channels": 3} | options))
    pixels = np.concatenate(list(images.content.blocks))
    upload.close()
    return pixels


@pytest.mark.parametrize("compressed", [False, True])
def test_images_and_labels(tmp_path: Path, compressed: bool) -> None:
    names = np.array(["猫", "dog", "bird"])
    path = tmp_path / "a.npz"
    _saved(path, compressed=compressed, images=GREY, labels=LABELS, class_names=names)
    report = checked(path)
    assert [(found.name, found.images) for found in report.classes] == [
        ("猫", 20), ("dog", 20), ("bird", 20),
    ]  # fmt: skip
    assert (report.channels, report.image_sizes["median"]) == (1, (8, 8))
    assert np.array_equal(_pixels(path, channels=1)[:, 0], GREY)


def test_layout_of_keras_has_a_test_split(tmp_path: Path) -> None:
    arrays = {"x_train": COLOUR[:45], "y_train": LABELS[:45, None], "x_test": COLOUR[45:]}
    path = _saved(tmp_path / "a.npz", **arrays, y_test=LABELS[45:, None])
    upload = open_upload(path)
    images = read_images(upload, image_size=8, channels=3, resize="stretch")
    assert images.splits is not None
    assert images.splits.tolist() == [0] * 45 + [2] * 15
    assert images.content.first_test == 45
    assert images.content.labels.tolist() == LABELS.tolist()
    report = checked(path)
    assert (report.classes[0].train, report.classes[0].test) == (15, 5)
    assert report.image_sizes == dict.fromkeys(("min", "median", "max"), (6, 8))


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (COLOUR[:, :6], COLOUR[:, :6].transpose(0, 3, 1, 2)),
        (COLOUR[:, :6].transpose(0, 3, 1, 2).copy(), COLOUR[:, :6].transpose(0, 3, 1, 2)),
        (GREY[:, :6, :6] > 99, np.repeat((GREY[:, None, :6, :6] > 99) * 255, 3, axis=1)),
        (GREY[:, :6, :6] * np.uint16(257), np.repeat(GREY[:, None, :6, :6], 3, axis=1)),
    ],
    ids=["NHWC", "NCHW", "bool", "uint16"],
)
def test_layouts_and_types(tmp_path: Path, images: np.ndarray, expected: np.ndarray) -> None:
    path = _saved(tmp_path / "a.npz", images=images, labels=LABELS)
    assert np.array_equal(_pixels(path, image_size=6), expected)


def test_labels_without_names_are_the_classes(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.npz", images=GREY, labels=LABELS * 5)
    assert open_upload(path).class_names == ("0", "5", "10")
    path = _saved(tmp_path / "b.npz", images=GREY, labels=np.array(["b", "ä", "a"])[LABELS])
    upload = open_upload(path)
    assert upload.class_names == ("a", "b", "ä")
    assert upload.labels[:3].tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("changed", "file", "detail"),
    [
        ({"labels": LABELS - 1}, "labels.npy", "the label -1"),
        ({"labels": LABELS, "class_names": np.array(["a", "b"])}, "labels.npy", "the label 2 at 2"),
        ({"labels": LABELS[:-1]}, "labels.npy", "60 images"),
        ({"labels": LABELS.astype(float)}, "labels.npy", "float64"),
        ({"labels": LABELS.astype(object)}, "labels.npy", "pickled"),
        ({"labels": LABELS, "other": np.array([{}])}, "other.npy", "pickled"),
        ({"images": GREY / 255, "labels": LABELS}, "images.npy", "float64"),
        ({"images": GREY[:0], "labels": LABELS[:0]}, "images.npy", "no images"),
        ({"images": np.asfortranarray(GREY), "labels": LABELS}, "images.npy", "Fortran"),
        ({"images": GREY.reshape(60, 64), "labels": LABELS}, "images.npy", "the shape (60, 64)"),
        ({}, "labels.npy", "is missing"),
        ({"labels": LABELS, "class_names": np.array(["a", "a", "b"])}, "class_names.npy", "differ"),
        ({"labels": LABELS * 0}, "", "at least two classes"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    tmp_path: Path, changed: dict[str, object], file: str, detail: str
) -> None:
    faults = refusal(_saved(tmp_path / "a.npz", **({"images": GREY} | changed)))
    assert detail in faults[file]


def test_array_that_is_shorter_than_its_header_says_is_refused(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.npz", images=GREY, labels=LABELS)
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content[:-64] if name == "images.npy" else content)
    assert "its shape" in refusal(path)["images.npy"]


def test_array_of_many_times_the_memory_is_read_in_parts(tmp_path: Path) -> None:
    images = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (400, 512, 512), (0, 0, 0))
    path = _saved(tmp_path / "a.npz", images=images, labels=np.arange(400) % 2)
    tracemalloc.start()
    assert checked(path).images == 400  # 100 MiB
    assert tracemalloc.get_traced_memory()[1] < 60 * 2**20
    tracemalloc.stop()
