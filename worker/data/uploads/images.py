"""The pictures of an upload as arrays of one shape, for the cache that all jobs share.

Axes: N images, C channels, H height, W width.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image

from worker.data.dataset import BLOCK_BYTES, Bytes, Content
from worker.data.uploads.class_folders import TEST
from worker.data.uploads.decoding import in_order, opened
from worker.data.uploads.faults import BadFile, UploadRejected, fault, shown
from worker.data.uploads.framing import CROP, frame
from worker.data.uploads.picture import open_picture
from worker.data.uploads.upload import ImageUpload, Picture


@dataclass(frozen=True)
class Images:
    """Images on their way into the cache.

    Args:
        content: shape, blocks and labels, ordered by split: training, validation, test.
        splits: TRAIN, VALIDATION or TEST, [N]; None if each job draws its splits.
    """

    content: Content
    splits: npt.NDArray[np.int8] | None


def read_images(
    upload: ImageUpload,
    *,
    image_size: int,
    channels: int,
    resize: str = CROP,
    skipped: Collection[str] = (),
) -> Images:
    """Return all pictures in one size; they are decoded while the blocks are consumed.

    Args:
        upload: an open upload; it must stay open until the blocks are consumed.
        image_size: side length in pixels.
        channels: 1 for luminance (ITU-R BT.601), 3 for RGB.
        resize: `crop`, `pad` or `stretch`; see `framing`.
        skipped: the files that the check rejected.

    Raises:
        UploadRejected: while the blocks are consumed: a picture cannot be read any more.
    """
    left_out = frozenset(skipped)
    kept_N = kept_positions(upload, left_out)
    labels_N, splits_N = upload.labels[kept_N], upload.splits[kept_N]
    tests = np.flatnonzero(splits_N == TEST)
    content = Content(
        shape=(len(labels_N), channels, image_size, image_size),
        blocks=_blocks(upload, image_size, channels, resize, left_out),
        labels=labels_N,
        first_test=int(tests[0]) if upload.has_splits and len(tests) else None,
    )
    return Images(content, splits_N if upload.has_splits else None)


def kept_positions(upload: ImageUpload, left_out: frozenset[str]) -> npt.NDArray[np.int64]:
    """Return the positions of the pictures that the check accepted."""
    if not left_out:
        return np.arange(len(upload))
    pictures = enumerate(upload.pictures())
    return np.array([n for n, picture in pictures if shown(picture.file) not in left_out], np.int64)


def _blocks(
    upload: ImageUpload, image_size: int, channels: int, resize: str, left_out: frozenset[str]
) -> Iterator[Bytes]:
    work = partial(image_of, image_size=image_size, channels=channels, resize=resize)
    pictures = (found for found in upload.pictures() if shown(found.file) not in left_out)
    size = max(1, BLOCK_BYTES // (channels * image_size**2))
    block: list[Bytes] = []
    for file, image_CHW in in_order(work, pictures):
        if isinstance(image_CHW, BadFile):
            raise UploadRejected([fault(file, str(image_CHW))])
        block.append(image_CHW)
        if len(block) == size:
            yield np.stack(block)
            block = []
    if block:
        yield np.stack(block)


def prepare(content: bytes, *, image_size: int, channels: int, resize: str = CROP) -> Bytes:
    """Return a single picture as a job reads it, uint8 [C, H, W]: for predictions.

    Args:
        content: of a picture's file.
        image_size: side length in pixels.
        channels: 1 for luminance (ITU-R BT.601), 3 for RGB.
        resize: `crop`, `pad` or `stretch`; see `framing`.

    Raises:
        BadFile: the content is no picture, or is damaged.
    """
    with open_picture(content) as image:
        return _pixels(image, image_size, channels, resize)


def image_of(
    picture: Picture, *, image_size: int, channels: int, resize: str, at_least: int | None = None
) -> Bytes:
    """Return a picture as a job reads it, uint8 [C, H, W]; arguments as for `prepare`.

    With `at_least`, a large JPEG is decoded in a smaller size, of at least this many pixels a side.
    """
    with opened(picture, at_least) as decoded:
        return _pixels(decoded.image, image_size, channels, resize)


def _pixels(image: Image.Image, image_size: int, channels: int, resize: str) -> Bytes:
    # Pillow's luminance is that of worker.data.resize, in the same fixed point
    mode = "L" if channels == 1 else "RGB"
    converted = image if image.mode == mode else image.convert(mode)  # which copies in any case
    pixels = np.asarray(frame(converted, image_size, resize))
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
