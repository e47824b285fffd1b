import errno
from pathlib import Path

import numpy as np
import pytest
import torch

from shared.datasets import FACTS
from worker.data import Dataset, DatasetMissing, load, load_splits
from worker.data.fashion_mnist import PUBLISHED
from worker.data.tensors import take


def loaded(name: str, home: Path, **options: object) -> Dataset:
    return load(name, data_dir=home / "data", cache_dir=home / "cache", **options)  # type: ignore[arg-type]


def test_defaults_are_the_sizes_of_the_originals(tmp_path: Path) -> None:
    digits = loaded("digits", tmp_path)
    assert digits.images.shape == (1_797, 1, 8, 8)
    assert digits.class_names == tuple("0123456789")
    assert digits.first_test is None
    assert len(digits) == 1_797


@pytest.mark.parametrize("name", ["digits", "synthetic"])
def test_facts_of_a_built_in_set_are_those_of_its_images(name: str, tmp_path: Path) -> None:
    dataset, facts = loaded(name, tmp_path), FACTS[name]
    assert tuple(np.bincount(dataset.labels)) == facts.class_sizes["train"]
    pixels = np.asarray(dataset.images, np.float64) / 255
    assert pixels.mean(axis=(0, 2, 3)) == pytest.approx(facts.mean, abs=1e-6)
    assert pixels.std(axis=(0, 2, 3)) == pytest.approx(facts.std, abs=1e-6)


def test_grey_images_are_repeated_in_three_channels_without_using_memory(tmp_path: Path) -> None:
    digits = loaded("digits", tmp_path, image_size=16, channels=3)
    assert digits.images.shape == (1_797, 3, 16, 16)
    assert np.array_equal(digits.images[:, 0], digits.images[:, 2])
    sizes = {path.name[-8:]: path.stat().st_size for path in (tmp_path / "cache").glob("*.npy")}
    assert sizes == {"-8x1.npy": 128 + 1_797 * 64, "16x1.npy": 128 + 1_797 * 256}


def test_colour_images_become_luminance(tmp_path: Path) -> None:
    colour = loaded("synthetic", tmp_path, image_size=8, parameters={"images": 20})
    grey = loaded("synthetic", tmp_path, image_size=8, channels=1, parameters={"images": 20})
    assert grey.images.shape == (20, 1, 8, 8)
    weighted = np.tensordot(colour.images, [0.299, 0.587, 0.114], axes=(1, 0))
    assert np.abs(grey.images[:, 0] - weighted).max() <= 0.51


def test_content_hash_does_not_depend_on_the_size(tmp_path: Path) -> None:
    hashes = {loaded("digits", tmp_path, image_size=size).content_hash for size in (None, 8, 12)}
    assert hashes == {"sha256:594473ae696ff08747d40beb538eadcd16fc52e063c04cc9c0e9df9ee6e817c2"}


def test_synthetic_has_the_requested_number_of_images(tmp_path: Path) -> None:
    assert len(loaded("synthetic", tmp_path, image_size=8)) == 2_000
    assert len(loaded("synthetic", tmp_path, image_size=8, parameters={"images": 30})) == 30
    with pytest.raises(ValueError, match="number of images is 100001"):
        loaded("synthetic", tmp_path, parameters={"images": 100_001})


def test_unknown_name_is_refused_with_the_available_names(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing) as caught:
        loaded("imagenet", tmp_path)
    assert "cifar10, digits, fashion-mnist, synthetic" in caught.value.hint


def test_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.data.cache.SPARE_BYTES", 2**60)
    with pytest.raises(OSError, match="digits-8x1") as caught:
        loaded("digits", tmp_path)
    assert caught.value.errno == errno.ENOSPC


def test_filled_specification_gives_data_and_splits(tmp_path: Path) -> None:
    spec = {
        "name": "synthetic",
        "train": 30,
        "validation": 10,
        "test": 10,
        "image_size": 8,
        "channels": 3,
        "normalization": "standardize",
    }
    dataset, splits = load_splits(spec, seed=3, data_dir=tmp_path, cache_dir=tmp_path)
    assert len(dataset) == 50
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (30, 10, 10)


def test_tensors_own_their_memory_and_keep_the_order_of_the_indices(tmp_path: Path) -> None:
    digits = loaded("digits", tmp_path, channels=3)
    indices = np.array([5, 2, 9])
    images, labels, taken = take(digits, indices)
    assert (images.shape, images.dtype) == ((3, 3, 8, 8), torch.uint8)
    assert images.is_contiguous()
    assert labels.tolist() == [5, 2, 9]
    assert (taken.tolist(), taken.dtype, labels.dtype) == ([5, 2, 9], torch.int64, torch.int64)
    images.zero_()
    assert digits.images[5].any()


@pytest.mark.skipif(
    not PUBLISHED.installed.exists(),
    reason="Debian's package dataset-fashion-mnist is not installed",
)
def test_fashion_mnist_is_decoded_once(tmp_path: Path) -> None:
    clothes = loaded("fashion-mnist", tmp_path)
    assert clothes.images.shape == (70_000, 1, 28, 28)
    assert clothes.first_test == 60_000
    assert clothes.class_names[clothes.labels[0]] == "Ankle boot"
    assert int(clothes.images[0].sum()) == 76_247
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    assert loaded("fashion-mnist", tmp_path).content_hash == clothes.content_hash
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
