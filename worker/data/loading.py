"""Loading a data set by its name: decoded once, in the requested size, from the cache."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shared.columns import is_table
from shared.datasets import (
    CIFAR10,
    DIGITS,
    FACTS,
    FASHION_MNIST,
    ROTATION_TARGET,
    SYNTHETIC,
)
from worker.data import cifar10, digits, fashion_mnist, synthetic
from worker.data.cache import Cache, Cached
from worker.data.dataset import Content, Dataset
from worker.data.errors import DatasetMissing
from worker.data.job_table import load_table
from worker.data.resize import resized_content
from worker.data.rotation import rotate
from worker.data.splits import SplitIndices, split
from worker.data.uploaded import load_upload
from worker.registry import SpecError


def load(
    name: str,
    /,
    *,
    data_dir: Path,
    cache_dir: Path,
    image_size: int | None = None,
    channels: int | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Dataset:
    """Open a data set; read, decode and resize it first if the cache does not have it.

    Args:
        name: a built-in data set.
        data_dir: directory of raw and fetched files: `data` of the home directory.
        cache_dir: directory of decoded arrays: `cache` of the home directory.
        image_size: side length in pixels, 8 to 1024; None for the size of the originals.
        channels: 1 or 3; None for the number of the originals. Grey images are repeated in each
            channel, colour images become luminance (ITU-R BT.601).
        parameters: for `synthetic`: `images`, the number of images.

    Raises:
        DatasetMissing: every source failed.
        SpecError: a parameter is out of bounds.
        OSError: the disk is full (ENOSPC).
    """
    if name not in FACTS:
        available = ", ".join(sorted(FACTS))
        raise DatasetMissing(name, [], f"No data set has this name. Available: {available}.")
    facts = FACTS[name]
    if facts.kind == "table":
        raise DatasetMissing(name, [], "A table needs a file and columns.")
    size, channels = image_size or facts.image_size, channels or facts.channels
    read = _reader(name, data_dir, size, dict(parameters or {}))
    has_any_size = name == SYNTHETIC.name
    images = f"-{_image_count(parameters)}" if has_any_size else ""
    original_size = size if has_any_size else facts.image_size
    cache = Cache(cache_dir)

    def original() -> Cached:
        return cache.get(f"{name}{images}-{original_size}x{facts.channels}", read, name=name)

    stored_channels = min(channels, facts.channels)
    if (size, stored_channels) == (original_size, facts.channels):
        entry = original()
    else:
        entry = cache.get(
            f"{name}{images}-{size}x{stored_channels}",
            lambda: resized_content(original(), size, stored_channels),
            name=name,
        )
    count = len(entry.labels)
    return Dataset(
        name=name,
        images=np.broadcast_to(entry.images, (count, channels, size, size)),
        labels=entry.labels,
        class_names=facts.classes,
        first_test=entry.first_test,
        content_hash=entry.content_hash,
    )


def load_splits(
    dataset: Mapping[str, Any],
    /,
    *,
    seed: int,
    data_dir: Path,
    cache_dir: Path,
    is_number: bool = False,
) -> tuple[Dataset, SplitIndices]:
    """Open the data set of a filled specification and draw its splits.

    Args:
        dataset: the field `dataset` of the specification.
        seed: seed of the job.
        is_number: whether the target is a number, not a class.
        data_dir: as for `load`.
        cache_dir: as for `load`.

    Raises:
        DatasetMissing: every source failed, or a table or an upload has changed since the job
            was submitted.
        SpecError: the data set has too few samples for the splits.
    """
    loaded = open_dataset(dataset, data_dir=data_dir, cache_dir=cache_dir, is_number=is_number)
    indices = split(loaded, **_counts(dataset), seed=seed)
    is_rotated = not is_table(dataset) and dataset.get("target") == ROTATION_TARGET
    return (rotate(loaded, seed) if is_rotated else loaded), indices


def open_dataset(
    dataset: Mapping[str, Any], /, *, data_dir: Path, cache_dir: Path, is_number: bool = False
) -> Dataset:
    """Open the data set of a filled specification as it is, without a target that jobs add.

    Arguments and errors as for `load_splits`.
    """
    if is_table(dataset):
        return load_table(dataset, data_dir=data_dir, is_number=is_number)
    if dataset["name"] not in FACTS:
        return load_upload(dataset, data_dir=data_dir, cache_dir=cache_dir)
    return load(
        dataset["name"],
        data_dir=data_dir,
        cache_dir=cache_dir,
        image_size=dataset.get("image_size"),
        channels=dataset.get("channels"),
        parameters={"images": sum(_counts(dataset).values())},
    )


def _counts(dataset: Mapping[str, Any]) -> dict[str, int]:
    return {field: int(dataset[field]) for field in ("train", "validation", "test")}


def _image_count(parameters: Mapping[str, Any] | None) -> int:
    count = int((parameters or {}).get("images", SYNTHETIC.train))
    if not 1 <= count <= SYNTHETIC.max_images:
        raise SpecError(f"The number of images is {count}; it must be 1 to {SYNTHETIC.max_images}.")
    return count


def _reader(
    name: str, data_dir: Path, size: int, parameters: Mapping[str, Any]
) -> Callable[[], Content]:
    readers: dict[str, Callable[[], Content]] = {
        FASHION_MNIST.name: lambda: fashion_mnist.read(data_dir),
        DIGITS.name: digits.read,
        CIFAR10.name: lambda: cifar10.read(data_dir),
        SYNTHETIC.name: lambda: synthetic.generate(_image_count(parameters), size),
    }
    return readers[name]
