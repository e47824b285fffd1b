"""From a name to a data set in memory: decoded once, in the size asked for, out of the cache."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shared.datasets import (
    CIFAR10,
    DIGITS,
    FACTS,
    FASHION_MNIST,
    ROTATION_TARGET,
    SYNTHETIC,
    TABLE,
)
from worker.data import cifar10, digits, fashion_mnist, synthetic
from worker.data.cache import Cache, Cached
from worker.data.dataset import Content, Dataset
from worker.data.errors import DatasetMissing
from worker.data.resize import variant
from worker.data.rotation import rotated
from worker.data.splits import Splits, split


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
    """Open a data set, reading, decoding and resizing it first where that was never done.

    Args:
        name: of a built-in data set.
        data_dir: where raw files lie and fetched ones are kept, `data` of the home directory.
        cache_dir: of the decoded arrays, `cache` of the home directory.
        image_size: side length in pixels, 8 to 1024; the set's own unless given.
        channels: 1 or 3; the set's own unless given. Grey images are repeated in every
            channel, coloured ones become luminance (ITU-R BT.601).
        parameters: of `synthetic`: `images`, how many there are.

    Raises:
        DatasetMissing: no way to it worked.
        OSError: the disk is full (ENOSPC).
    """
    if name not in FACTS:
        known = ", ".join(sorted(FACTS))
        raise DatasetMissing(name, [], f"There is no data set of this name; there are {known}.")
    facts = FACTS[name]
    if name == TABLE.name:
        raise DatasetMissing(name, [], "A table is opened by its file and columns.")
    size, channels = image_size or facts.image_size, channels or facts.channels
    read = _reader(name, data_dir, size, dict(parameters or {}))
    made_in_size = name == SYNTHETIC.name
    images = f"-{_images(parameters)}" if made_in_size else ""
    own_size = size if made_in_size else facts.image_size
    cache = Cache(cache_dir)

    def original() -> Cached:
        return cache.get(f"{name}{images}-{own_size}x{facts.channels}", read, name=name)

    kept_channels = min(channels, facts.channels)
    if (size, kept_channels) == (own_size, facts.channels):
        found = original()
    else:
        found = cache.get(
            f"{name}{images}-{size}x{kept_channels}",
            lambda: variant(original(), size, kept_channels),
            name=name,
        )
    count = len(found.labels)
    return Dataset(
        name=name,
        images=np.broadcast_to(found.images, (count, channels, size, size)),
        labels=found.labels,
        class_names=facts.classes,
        first_test=found.first_test,
        content_hash=found.content_hash,
    )


def load_splits(
    dataset: Mapping[str, Any],
    /,
    *,
    seed: int,
    data_dir: Path,
    cache_dir: Path,
    is_number: bool = False,
) -> tuple[Dataset, Splits]:
    """Open the data set of a filled-in specification and draw its splits.

    Args:
        dataset: the part `dataset` of a specification with every default filled in.
        seed: of the job.
        is_number: whether a number is asked for, not classes.
        data_dir: as for `load`.
        cache_dir: as for `load`.
    """
    counts = {field: int(dataset[field]) for field in ("train", "validation", "test")}
    if dataset["name"] == TABLE.name:
        table = _table(dataset, data_dir, is_number=is_number)
        return table, split(table, **counts, seed=seed)
    loaded = load(
        dataset["name"],
        data_dir=data_dir,
        cache_dir=cache_dir,
        image_size=dataset.get("image_size"),
        channels=dataset.get("channels"),
        parameters={"images": sum(counts.values())},
    )
    chosen = split(loaded, **counts, seed=seed)
    return (rotated(loaded, seed) if dataset.get("target") == ROTATION_TARGET else loaded), chosen


def _table(dataset: Mapping[str, Any], data_dir: Path, *, is_number: bool) -> Dataset:
    """The table of a filled-in specification, as it was when the job was submitted."""
    # pyarrow takes a fifth of a second, which no other data set should wait for.
    from worker.data.table import TableRefused, as_dataset, read_table  # noqa: PLC0415

    file = dataset["file"]
    try:
        table = as_dataset(
            read_table(
                data_dir / TABLE.name / file,
                target=dataset["target"],
                features=dataset.get("features"),
                is_number=is_number,
            )
        )
    except TableRefused as error:
        raise DatasetMissing(TABLE.name, [(file, str(error))], "Submit the job anew.") from error
    if dataset.get("content_hash") not in (None, table.content_hash):
        why = "its content is another one than when the job was submitted"
        raise DatasetMissing(TABLE.name, [(file, why)], "Put the old file back, or submit anew.")
    return table


def _images(parameters: Mapping[str, Any] | None) -> int:
    count = int((parameters or {}).get("images", SYNTHETIC.train))
    if not 1 <= count <= SYNTHETIC.max_images:
        raise ValueError(f"images is {count}; {SYNTHETIC.name} makes 1 to {SYNTHETIC.max_images}")
    return count


def _reader(
    name: str, data_dir: Path, size: int, parameters: Mapping[str, Any]
) -> Callable[[], Content]:
    readers: dict[str, Callable[[], Content]] = {
        FASHION_MNIST.name: lambda: fashion_mnist.read(data_dir),
        DIGITS.name: digits.read,
        CIFAR10.name: lambda: cifar10.read(data_dir),
        SYNTHETIC.name: lambda: synthetic.generate(_images(parameters), size),
    }
    return readers[name]
