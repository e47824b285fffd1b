"""What a data set is in memory.

Axes: N images, C channels, H height, W width.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

BLOCK_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Content:
    """Decoded images on their way into the cache, a block at a time.

    Args:
        shape: (N, C, H, W) of all images together.
        blocks: uint8 arrays [n, C, H, W], in order, N images together.
        labels: int64 [N], class indices.
        first_test: index of the first image of the set's own test split, which comes last;
            None where it has none.
        content_hash: of the originals, where these are resized from them; None where these
            are the originals.
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
        """The content of images that are in memory as a whole."""
        count, channels, height, width = images_NCHW.shape
        return cls(
            (count, channels, height, width),
            in_blocks(images_NCHW),
            labels_N.astype(np.int64),
            first_test,
        )


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set ready to be drawn from.

    Args:
        name: as in a specification.
        images: uint8 [N, C, H, W], mapped from the cache, not writable; indexing by an
            array copies. Of a table float32 [N, columns, 1, 1].
        labels: int64 [N], class indices: splits are stratified by them.
        class_names: in the order of the class indices; none where a number is asked for.
        first_test: index of the first image of the set's own test split, or None.
        content_hash: `sha256:…` of the decoded original images and labels, before resizing; of
            a table of its file.
        targets: float32 [N], the numbers asked for, or None where classes are.
    """

    name: str
    images: Bytes | Floats
    labels: Integers
    class_names: tuple[str, ...]
    first_test: int | None
    content_hash: str
    targets: Floats | None = None

    def __len__(self) -> int:
        return len(self.labels)


def in_blocks(images_NCHW: Bytes) -> Iterator[Bytes]:
    """Slices of some megabytes each, so that a large set is never in memory twice."""
    size = max(1, BLOCK_BYTES // max(1, images_NCHW[:1].nbytes))
    for start in range(0, len(images_NCHW), size):
        yield images_NCHW[start : start + size]


class ContentHash:
    """The digest of decoded images and labels; equal content has an equal hash everywhere."""

    def __init__(self, content: Content) -> None:
        self._content = content
        head = f"trainshed {content.shape} {content.first_test}\n"
        self._digest = hashlib.sha256(head.encode())

    def update(self, block: bytes | memoryview) -> None:
        """Take in the next images."""
        self._digest.update(block)

    def finish(self) -> str:
        """Take in the labels, as little-endian 64-bit integers, and give the hash."""
        self._digest.update(self._content.labels.astype("<i8").tobytes())
        return f"sha256:{self._digest.hexdigest()}"
