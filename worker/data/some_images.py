"""A few images of a data set, for people to look at: the others are not decoded.

Axes: N images of the data set, n chosen images, C channels.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shared.datasets import FACTS
from worker.data import synthetic
from worker.data.dataset import Bytes, Integers
from worker.data.errors import DatasetMissing
from worker.data.loading import load
from worker.data.resize import to_shape
from worker.data.uploaded import HINT, find_upload
from worker.data.uploads import TableUpload, UploadRejected, open_upload, read_some


@dataclass(frozen=True)
class SomeImages:
    """The labels of a data set, and its images on request."""

    #: Class indices, int64 [N].
    labels: Integers
    class_names: tuple[str, ...]
    #: Indices [n] → uint8 [n, C, size, size], in the order of the indices.
    take: Callable[[Integers], Bytes]


@contextmanager
def some_images(
    dataset: Mapping[str, Any],
    *,
    drawn: int,
    data_dir: Path,
    cache_dir: Path,
    is_quick: bool = False,
) -> Iterator[SomeImages]:
    """Open a data set of images.

    Args:
        dataset: name, image_size, channels and, of an upload, resize, as in a specification.
        drawn: how many images a synthetic set has.
        data_dir: `data` of the home directory.
        cache_dir: `cache` of the home directory.
        is_quick: whether large JPEGs may be decoded in a smaller size, nearly as a job reads them.

    Raises:
        DatasetMissing: the data set is not available, or an image cannot be read any more.
    """
    size, channels = dataset["image_size"], dataset["channels"]
    facts = FACTS.get(dataset["name"])
    if facts is None:
        with _uploaded(dataset, data_dir.parent, is_quick=is_quick) as images:
            yield images
    elif facts.synthetic:
        # Drawn in the requested size: few, and not for the cache.
        content = synthetic.generate(drawn, size)
        images_NCHW = np.concatenate(list(content.blocks))
        yield SomeImages(
            content.labels, facts.classes, lambda n: to_shape(images_NCHW[n], size, channels)
        )
    else:
        loaded = load(facts.name, data_dir=data_dir, cache_dir=cache_dir)
        yield SomeImages(
            loaded.labels,
            loaded.class_names,
            lambda n: to_shape(np.asarray(loaded.images[n], np.uint8), size, channels),
        )


@contextmanager
def _uploaded(dataset: Mapping[str, Any], home: Path, *, is_quick: bool) -> Iterator[SomeImages]:
    name = dataset["name"]
    path, facts = find_upload(home, name)
    try:
        upload = open_upload(path)
        if isinstance(upload, TableUpload):
            raise DatasetMissing(name, [("upload", "it is a table, which has no images")], HINT)
        try:
            some = read_some(upload, skipped=facts["rejected"])
            yield SomeImages(
                some.labels,
                upload.class_names,
                lambda n: some.take(
                    n,
                    image_size=dataset["image_size"],
                    channels=dataset["channels"],
                    resize=dataset.get("resize") or "crop",
                    is_quick=is_quick,
                ),
            )
        finally:
            upload.close()
    except UploadRejected as error:
        raise DatasetMissing(name, [("upload", str(error))], HINT) from error
