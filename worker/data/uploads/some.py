"""A few pictures of an upload, read without decoding the others."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from worker.data.dataset import Bytes, Integers
from worker.data.uploads.decoding import in_order
from worker.data.uploads.faults import BadFile, UploadRejected, fault
from worker.data.uploads.images import image_of, kept_positions
from worker.data.uploads.upload import ImageUpload


@dataclass(frozen=True)
class SomePictures:
    """The pictures of an upload that the check accepted. Axes: N pictures."""

    upload: ImageUpload
    #: Their positions in the upload, int64 [N].
    positions: npt.NDArray[np.int64]

    @property
    def labels(self) -> Integers:
        """The class indices, [N]."""
        return self.upload.labels[self.positions]

    def take(
        self, indices: Integers, *, image_size: int, channels: int, resize: str, is_quick: bool
    ) -> Bytes:
        """Return some images, uint8 [n, C, image_size, image_size], in the order of the indices.

        Args:
            indices: of the accepted pictures, [n].
            image_size: side length in pixels.
            channels: 1 or 3.
            resize: `crop`, `pad` or `stretch`.
            is_quick: whether large JPEGs may be decoded in a smaller size.

        Raises:
            UploadRejected: a picture cannot be read any more.
        """
        wanted = self.positions[indices].tolist()
        last, numbers = max(wanted, default=-1), set(wanted)
        chosen = (
            picture
            for number, picture in zip(range(last + 1), self.upload.pictures(), strict=False)
            if number in numbers
        )
        work = partial(
            image_of,
            image_size=image_size,
            channels=channels,
            resize=resize,
            at_least=image_size if is_quick else None,
        )
        found: list[Bytes] = []
        for file, image_CHW in in_order(work, chosen):
            if isinstance(image_CHW, BadFile):
                raise UploadRejected([fault(file, str(image_CHW))])
            found.append(image_CHW)
        rank = {number: index for index, number in enumerate(sorted(numbers))}
        if not wanted:
            return np.empty((0, channels, image_size, image_size), np.uint8)
        return np.stack([found[rank[number]] for number in wanted])


def read_some(upload: ImageUpload, *, skipped: Collection[str] = ()) -> SomePictures:
    """Return the pictures of an upload; nothing is decoded yet.

    Args:
        upload: an open upload; it must stay open while pictures are taken.
        skipped: the files that the check rejected.
    """
    return SomePictures(upload, kept_positions(upload, frozenset(skipped)))
