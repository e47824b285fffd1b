"""The samples of a data set in batches, as a network predicts them.

Axes: N samples of a batch, C channels or columns, H height, W width.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from shared.columns import is_table
from shared.datasets import FACTS
from worker import data as datasets
from worker.data.dataset import Bytes, Dataset, Integers
from worker.data.errors import DatasetMissing
from worker.data.resize import to_shape
from worker.data.uploaded import HINT, find_upload
from worker.data.uploads import (
    BadFile,
    TableUpload,
    UploadRejected,
    image_of,
    in_order,
    kept_positions,
    open_upload,
)

BATCH_SIZE = 32
OTHER = "its content is not that of the job"


@dataclass(frozen=True)
class SampleBatch:
    """Some samples of a data set."""

    #: Their indices in the data set.
    indices: list[int]
    #: The files of an upload; empty otherwise.
    names: list[str]
    #: The names of their classes, or their targets.
    labels: list[str]
    #: Pixels, uint8 [N, C, H, W], or the columns of a table, float64 [N, C, 1, 1].
    inputs_NCHW: Tensor


@dataclass(frozen=True)
class DatasetSamples:
    """The samples of a split, the first of which may be left out."""

    count: int
    batches: Iterator[SampleBatch]


def open_samples(request: Mapping[str, Any], home: Path, *, first: int) -> DatasetSamples:
    """Open the samples that a request names; nothing is decoded yet.

    Args:
        request: dataset (of a filled specification, or name, content_hash, image_size, channels
            and resize), split (of a job's own data set), seed, is_number, and range (the first
            sample and the last + 1 of another data set, or null).
        home: the data directory of the box.
        first: how many samples to leave out at the beginning.

    Raises:
        DatasetMissing: the data set is missing or has changed.
    """
    dataset = request["dataset"]
    data_dir, cache_dir = home / "data", home / "cache"
    if request["range"] is None:
        loaded, splits = datasets.load_splits(
            dataset,
            seed=request["seed"],
            data_dir=data_dir,
            cache_dir=cache_dir,
            is_number=request["is_number"],
        )
        indices_N = getattr(splits, request["split"])
    else:
        loaded, indices_N = None, np.arange(*request["range"])
    left_N = indices_N[first:]
    if dataset["name"] not in FACTS and not is_table(dataset):
        batches = _of_upload(dataset, home, left_N)
    elif loaded is None:
        original = datasets.load(dataset["name"], data_dir=data_dir, cache_dir=cache_dir)
        batches = _of_built_in(dataset, original, left_N)
    else:
        batches = _batches(left_N, _labels(loaded), lambda n: np.asarray(loaded.images[n]))
    return DatasetSamples(len(indices_N), batches)


def _labels(dataset: Dataset) -> Callable[[int], str]:
    """Return the function from an index to the name of the class, or to the target."""
    if dataset.targets is not None:
        targets_N = dataset.targets
        return lambda index: f"{float(targets_N[index]):.12g}"
    return lambda index: dataset.class_names[dataset.labels[index]]


def _of_built_in(
    dataset: Mapping[str, Any], original: Dataset, indices_N: Integers
) -> Iterator[SampleBatch]:
    size, channels = dataset["image_size"], dataset["channels"]

    def take(chosen_N: Integers) -> Bytes:
        return to_shape(np.asarray(original.images[chosen_N], np.uint8), size, channels)

    return _batches(indices_N, _labels(original), take)


def _batches(
    indices_N: Integers, label: Callable[[int], str], take: Callable[[Integers], Any]
) -> Iterator[SampleBatch]:
    for start in range(0, len(indices_N), BATCH_SIZE):
        chosen_N = indices_N[start : start + BATCH_SIZE]
        chosen = chosen_N.tolist()
        inputs_NCHW = torch.from_numpy(np.ascontiguousarray(take(chosen_N)))
        yield SampleBatch(chosen, [""] * len(chosen), list(map(label, chosen)), inputs_NCHW)


def _of_upload(
    dataset: Mapping[str, Any], home: Path, indices_N: Integers
) -> Iterator[SampleBatch]:
    """Yield pictures of an upload, which is read once from its beginning to the last of them."""
    name = dataset["name"]
    path, facts = find_upload(home, name)
    if dataset["content_hash"] not in {None, facts["content_hash"]}:
        raise DatasetMissing(name, [("upload", OTHER)], HINT)
    shape = {key: dataset[key] for key in ("image_size", "channels")}
    work = partial(image_of, resize=dataset.get("resize") or "crop", **shape)
    classes = [entry["name"] for entry in facts["classes"]]
    try:
        upload = open_upload(path)
        if isinstance(upload, TableUpload):
            raise DatasetMissing(name, [("upload", "it is a table")], HINT)
        with closing(upload):
            accepted_N = kept_positions(upload, frozenset(facts["rejected"]))
            positions_N, labels_N = accepted_N[indices_N], upload.labels[accepted_N[indices_N]]
            wanted = frozenset(positions_N.tolist())
            last = max(wanted, default=-1)
            numbered = zip(range(last + 1), upload.pictures(), strict=False)
            pictures = (picture for number, picture in numbered if number in wanted)
            found = in_order(work, pictures)
            for start in range(0, len(indices_N), BATCH_SIZE):
                part = list(islice(found, BATCH_SIZE))
                images = [image for _, image in part if not isinstance(image, BadFile)]
                if len(images) < len(part):
                    raise DatasetMissing(name, [("upload", "a picture cannot be read")], HINT)
                chosen = slice(start, start + BATCH_SIZE)
                yield SampleBatch(
                    indices_N[chosen].tolist(),
                    [file for file, _ in part],
                    [classes[label] for label in labels_N[chosen].tolist()],
                    torch.from_numpy(np.stack(images)),
                )
    except UploadRejected as error:
        raise DatasetMissing(name, [("upload", str(error))], HINT) from error
