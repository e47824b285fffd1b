"""The facts about a picture, and the table of them for an upload.

Axes: N pictures, C channels.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from worker.data.uploads.decoding import in_order, opened
from worker.data.uploads.faults import BadFile, Fault, UploadRejected, fault
from worker.data.uploads.perceptual_hash import THUMBNAIL, Hashes, Thumbnails, perceptual_hash
from worker.data.uploads.upload import ImageUpload, Picture

VALUES = np.arange(256) / 255
#: Files that cannot be read before reading ends: an upload of these is of another kind.
MAX_BAD_FILES = 10_000


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """The facts about one picture."""

    size: tuple[int, int]
    is_grey: bool
    #: Mean, and mean of the squares, of each channel, as fractions of 255; three of each.
    moments: tuple[float, ...]
    digest: bytes
    hash: int
    thumbnail: bytes


@dataclass(frozen=True)
class Facts:
    """The facts about the pictures that can be read, [N]."""

    files: list[str]
    labels: npt.NDArray[np.int64]
    splits: npt.NDArray[np.int8]
    #: Width and height, [N, 2].
    sizes: npt.NDArray[np.int32]
    is_grey: npt.NDArray[np.bool_]
    #: As in `PictureFacts`, [N, 6].
    moments: npt.NDArray[np.float64]
    digests: list[bytes]
    hashes: Hashes
    thumbnails: Thumbnails
    rejected: list[Fault]

    def __len__(self) -> int:
        return len(self.files)


def measure(picture: Picture) -> PictureFacts:
    """Decode a picture and return its facts.

    Raises:
        BadFile: it cannot be read.
    """
    with opened(picture, is_hashed=True) as decoded:
        image = decoded.image
        identity, thumbnail = perceptual_hash(image)
        moments = _moments(image)
        return PictureFacts(
            image.size, image.mode == "L", moments, decoded.digest, identity, thumbnail
        )


def collect(upload: ImageUpload, progress: Callable[[float], None]) -> Facts:
    """Read every picture of an upload once.

    Args:
        upload: an open upload.
        progress: called with the fraction of pictures that are read.

    Raises:
        UploadRejected: so many files cannot be read that reading ends.
    """
    total, step = len(upload), max(1, len(upload) // 200)
    good: list[PictureFacts] = []
    files: list[str] = []
    kept: list[int] = []
    rejected = list(upload.faults)
    for index, (file, facts) in enumerate(in_order(measure, upload.pictures())):
        if isinstance(facts, BadFile):
            rejected.append(fault(file, str(facts)))
            if len(rejected) >= MAX_BAD_FILES:
                raise UploadRejected(rejected)
        else:
            good.append(facts)
            files.append(file)
            kept.append(index)
        if index % step == 0:
            progress(index / total)
    progress(1.0)
    return Facts(
        files=files,
        labels=upload.labels[kept],
        splits=upload.splits[kept],
        sizes=np.array([facts.size for facts in good], np.int32).reshape(-1, 2),
        is_grey=np.array([facts.is_grey for facts in good], np.bool_),
        moments=np.array([facts.moments for facts in good], np.float64).reshape(-1, 6),
        digests=[facts.digest for facts in good],
        hashes=np.array([facts.hash for facts in good], np.uint64),
        thumbnails=np.frombuffer(b"".join(facts.thumbnail for facts in good), np.uint8).reshape(
            -1, THUMBNAIL**2
        ),
        rejected=rejected,
    )


def _moments(image: Image.Image) -> tuple[float, ...]:
    counts_CV = np.array(image.histogram(), np.float64).reshape(-1, 256)
    fractions_CV = counts_CV / (image.width * image.height)
    channels = fractions_CV if len(fractions_CV) == 3 else np.repeat(fractions_CV, 3, axis=0)
    return (*(channels @ VALUES).tolist(), *(channels @ VALUES**2).tolist())
