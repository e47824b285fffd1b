"""A data set in memory, and its content on the way into the cache.

Axes: N images, C channels, H height, W width.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]

BLOCK_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Content:
    """Decoded images on their way into the cache, in blocks.

    Args:
        shape: (N, C, H, W) of all images together.
        blocks: uint8 arrays [n, C, H, W], in order, N images in total.
        labels: int64 [N], class indices.
        first_test: index of the first image of the data set's test split, which comes last; None
            if it has no test split.
        content_hash: hash of the originals if these images are resized; None for originals.
    """

    shape: tuple[int, int, int, int]
    blocks: Iterable[Bytes]
    labels: Integers
    first_test: int | None = None
    content_hash: str | None = None

    @classmethod
    def of(
        cls, images_NCHW: Bytes, labels_N: npt.NDArray[np.integer], first_test: int | None = None
    ) -> "Content":
        """Return the content of images that are already in memory."""
        count, channels, height, width = images_NCHW.shape
        return cls(
            (count, channels, height, width),
            in_blocks(images_NCHW),
            labels_N.astype(np.int64),
            first_test,
        )


@dataclass(frozen=True, eq=False)
class Dataset:
    """A decoded data set.

    Args:
        name: name in a specification.
        images: uint8 [N, C, H, W], mapped from the cache and read-only; indexing with an array
            copies. For a table float64 [N, columns, 1, 1].
        labels: int64 [N], class indices; splits are stratified by them.
        class_names: in the order of the class indices; empty for a regression.
        first_test: index of the first image of the data set's test split, or None.
        content_hash: `sha256:…` of the decoded original images and labels, before resizing; for a
            table of its file.
        targets: float32 or float64 [N], the targets of a regression; None for a classification.
        features: the names of a table's columns, in the order of `images`.
        first_validation: index of the first image of the data set's validation split, which comes
            before its test split, or None.
    """

    name: str
    images: Bytes | Floats
    labels: Integers
    class_names: tuple[str, ...]
    first_test: int | None
    content_hash: str
    targets: Floats | None = None
    features: tuple[str, ...] = ()
    first_validation: int | None = None

    def __len__(self) -> int:
        return len(self.labels)


def in_blocks(images_NCHW: Bytes) -> Iterator[Bytes]:
    """Yield slices of some megabytes each, so that a large data set is in memory only once."""
    size = max(1, BLOCK_BYTES // max(1, images_NCHW[:1].nbytes))
    for start in range(0, len(images_NCHW), size):
        yield images_NCHW[start : start + size]


class ContentHash:
    """The hash of decoded images and labels; equal content has an equal hash on every machine."""

    def __init__(self, content: Content) -> None:
        self._content = content
        head = f"trainshed {content.shape} {content.first_test}\n"
        self._digest = hashlib.sha256(head.encode())

    def update(self, block: bytes | memoryview) -> None:
        """Add the next images."""
        self._digest.update(block)

    def finish(self) -> str:
        """Add the labels, as little-endian 64-bit integers, and return the hash."""
        self._digest.update(self._content.labels.astype("<i8").tobytes())
        return f"sha256:{self._digest.hexdigest()}"
