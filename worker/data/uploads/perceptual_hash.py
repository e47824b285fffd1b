"""A hash that is nearly equal for pictures that look alike, and the search for such pairs.

Source: C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010, 3.2.1
(the low frequencies of a discrete cosine transform, compared with their median).
Search: G. S. Manku et al., Detecting Near-Duplicates for Web Crawling, 2007 (sorted rotations).
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE, LOW, THUMBNAIL = 32, 8, 8
#: Bits of 64 in which pictures that look alike may differ, and grey values of their thumbnails.
MAX_BITS, MAX_DIFFERENCE = 3, 4
ROTATIONS = (0, 16, 32, 48)
#: Neighbours in a sorted order that are compared.
WINDOW = 16

Hashes = npt.NDArray[np.uint64]
Thumbnails = npt.NDArray[np.uint8]


def _cosines() -> npt.NDArray[np.float32]:
    """Return the first rows of the DCT-II matrix, [LOW, SIDE]."""
    frequency, position = np.arange(LOW)[:, None], np.arange(SIDE)[None, :]
    return np.cos(np.pi * frequency * (2 * position + 1) / (2 * SIDE)).astype(np.float32)


COSINES = _cosines()


def perceptual_hash(image: Image.Image) -> tuple[int, bytes]:
    """Return the hash of a picture, 64 bits, and its thumbnail of 8 × 8 grey values."""
    factor = max(1, min(image.size) // (2 * SIDE))
    small = (image.reduce(factor) if factor > 1 else image).convert("L")
    small = small.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    low = (COSINES @ np.asarray(small, np.float32) @ COSINES.T).reshape(-1)
    bits = low > np.median(low)
    return int.from_bytes(np.packbits(bits).tobytes()), small.reduce(SIDE // THUMBNAIL).tobytes()


def similar_pairs(hashes_N: Hashes, thumbnails_NP: Thumbnails) -> npt.NDArray[np.int64]:
    """Return pairs [P, 2] of pictures that look alike: the first index is the smaller.

    The hashes are sorted four times, each time rotated by 16 bits, and neighbours are compared: two
    hashes that differ in three bits agree in one of the four parts. Not every pair of a large group
    is returned, but pairs that connect it are.
    """
    found: list[npt.NDArray[np.int64]] = [np.empty((0, 2), np.int64)]
    for bits in ROTATIONS:
        rotated = (hashes_N << np.uint64(bits)) | (hashes_N >> np.uint64(64 - bits & 63))
        order = np.argsort(rotated, kind="stable")
        for distance in range(1, min(WINDOW, len(order) - 1) + 1):
            left, right = order[:-distance], order[distance:]
            near = np.bitwise_count(hashes_N[left] ^ hashes_N[right]) <= MAX_BITS
            pairs = np.stack([left[near], right[near]], axis=1)
            difference = thumbnails_NP[pairs[:, 0]].astype(np.int16) - thumbnails_NP[pairs[:, 1]]
            found.append(pairs[np.abs(difference).mean(axis=1) <= MAX_DIFFERENCE])
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0).astype(np.int64)
