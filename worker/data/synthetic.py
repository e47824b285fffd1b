"""The synthetic data set: seeded drawings of shapes and textures in colour, of any size.

An image depends only on its index, so a larger set starts with the images of a smaller set.
The arithmetic is exact (no sine, no exponential, raw PCG64 bits): every machine produces the same
bytes and so the same content hash.

Axes: N images, C channels, H height, W width; a coordinate runs from -1 to 1 over the image.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.datasets import SYNTHETIC
from worker.data.dataset import BLOCK_BYTES, Bytes, Content

SEED = 0x5EED
CHUNK = 500  # images per random generator
MIN_CONTRAST = 0.16  # between the mean brightness of ink and paper
SHAPES = 5  # the first classes are shapes, the others textures

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Look:
    """The properties that vary between images; each is uniform in [0, 1), [N, 1, 1]."""

    across: Floats
    down: Floats
    size: Floats
    turn: Floats
    thickness: Floats
    frequency: Floats
    phase: Floats
    other_phase: Floats
    noise: Floats
    shade: Floats
    red: Floats
    green: Floats
    blue: Floats
    paper_red: Floats
    paper_green: Floats
    paper_blue: Floats


def generate(count: int, size: int) -> Content:
    """Generate the first `count` drawings, `size` pixels wide and high, in three channels.

    Classes alternate, so they are balanced. Position, size, angle (within ±20°), thickness, both
    colours, shading and noise vary; the colours are independent of the class.

    Args:
        count: 1 to 100,000.
        size: 8 to 1024.
    """
    labels_N = np.arange(count, dtype=np.int64) % len(SYNTHETIC.classes)
    return Content((count, 3, size, size), _blocks(count, size), labels_N)


def _blocks(count: int, size: int) -> Iterator[Bytes]:
    per_block = max(1, BLOCK_BYTES // (4 * 3 * size * size))
    words = -(-3 * size * size // 8)
    for first in range(0, count, CHUNK):
        bits = np.random.PCG64(np.random.SeedSequence([SEED, first // CHUNK]))
        raw = bits.random_raw(CHUNK * len(fields(Look))).reshape(CHUNK, len(fields(Look)))
        varied = ((raw >> np.uint64(40)).astype(np.float32) / np.float32(2**24))[:, :, None, None]
        last = min(CHUNK, count - first)
        for start in range(0, last, per_block):
            stop = min(last, start + per_block)
            noise = bits.random_raw((stop - start) * words).astype("<u8").view(np.uint8)
            noise = noise.reshape(stop - start, words * 8)[:, : 3 * size * size]
            look = Look(*varied[start:stop].swapaxes(0, 1))
            classes_N = np.arange(first + start, first + stop) % len(SYNTHETIC.classes)
            yield _draw(look, classes_N, noise.reshape(-1, 3, size, size), size)


def _draw(look: Look, classes_N: npt.NDArray[np.int64], noise: Bytes, size: int) -> Bytes:
    """Draw the class in ink on paper, with shading and noise over both."""
    line = ((2 * np.arange(size, dtype=np.float32) + 1) / np.float32(size) - 1).reshape(1, 1, -1)
    x, y = np.broadcast_to(line, (1, size, size)), line.swapaxes(1, 2)
    ink = np.empty((len(classes_N), size, size), np.float32)
    softness = np.float32(2.0 / size)  # one pixel: anti-aliased edges
    for number in np.unique(classes_N):
        is_class = classes_N == number
        part = Look(*(getattr(look, field.name)[is_class] for field in fields(Look)))
        ink[is_class] = np.clip(0.5 - _distance(int(number), part, x, y) / softness, 0, 1)
    ink_NCHW, paper_NCHW = _colours(look)
    image = paper_NCHW + (ink_NCHW - paper_NCHW) * ink[:, None]
    image += ((look.shade - 0.5) * 60 * (x + y) / 2)[:, None]
    image += (8 + 32 * look.noise)[:, None] * (noise.astype(np.float32) / np.float32(127.5) - 1)
    return np.clip(np.floor(image + np.float32(0.5)), 0, 255).astype(np.uint8)


def _colours(look: Look) -> tuple[Floats, Floats]:
    """Return ink and paper, [N, 3, 1, 1] in 0 to 255, whose means differ by at least 28."""
    ink = np.stack([look.red, look.green, look.blue], axis=1)
    paper = np.stack([look.paper_red, look.paper_green, look.paper_blue], axis=1)
    contrast = (ink - paper).sum(axis=1, keepdims=True, dtype=np.float32) / 3
    wanted = np.where(contrast >= 0, np.float32(MIN_CONTRAST), np.float32(-MIN_CONTRAST))
    push = np.where(np.abs(contrast) < MIN_CONTRAST, wanted - contrast, np.float32(0)) / 2
    return 40 + 175 * (ink + push), 40 + 175 * (paper - push)


def _distance(number: int, look: Look, x: Floats, y: Floats) -> Floats:
    """Return the signed distance to the edge of class `number`, negative inside, [N, H, W]."""
    tangent = (look.turn * 2 - 1) * np.float32(0.17632698)  # tangent of half the angle, at most 10°
    cosine = (1 - tangent * tangent) / (1 + tangent * tangent)
    sine = 2 * tangent / (1 + tangent * tangent)
    moved_x = x - (look.across - 0.5) * np.float32(0.7)
    moved_y = y - (look.down - 0.5) * np.float32(0.7)
    u, v = cosine * moved_x + sine * moved_y, cosine * moved_y - sine * moved_x
    draw = _shape if number < SHAPES else _texture
    return draw(SYNTHETIC.classes[number], look, u, v)


def _shape(name: str, look: Look, u: Floats, v: Floats) -> Floats:
    radius = np.float32(0.35) + np.float32(0.3) * look.size
    width = radius * (np.float32(0.12) + np.float32(0.12) * look.thickness)
    if name == "circle":
        return np.sqrt(u * u + v * v) - radius
    if name == "square":
        return np.maximum(np.abs(u), np.abs(v)) - radius * np.float32(0.886)
    if name == "triangle":
        slope = np.float32(0.8660254) * np.abs(u) - np.float32(0.5) * v
        return np.maximum(slope, v) - radius * np.float32(0.6)
    if name == "ring":
        return np.abs(np.sqrt(u * u + v * v) - radius) - width
    arms = np.minimum(np.abs(u), np.abs(v)) - width
    return np.maximum(arms, np.maximum(np.abs(u), np.abs(v)) - radius)


def _texture(name: str, look: Look, u: Floats, v: Floats) -> Floats:
    period = 1 / (1 + np.float32(1.5) * look.frequency)
    along, across = u + look.phase * period, v + look.other_phase * period
    if name == "horizontal stripes":
        return _stripes(across, period)
    if name == "vertical stripes":
        return _stripes(along, period)
    if name == "diagonal stripes":
        return _stripes((along + across) * np.float32(0.70710678), period)
    if name == "checks":
        return _stripes(along, period) * _stripes(across, period) * -8 / period
    near_u, near_v = _wave(along, period), _wave(across, period)
    radius = period * (np.float32(0.2) + np.float32(0.12) * look.thickness)
    return np.sqrt(near_u * near_u + near_v * near_v) - radius


def _wave(position: Floats, period: Floats) -> Floats:
    """Return the distance to the nearest multiple of `period`: a triangle wave."""
    turns = position / period
    return np.abs(turns - np.floor(turns + np.float32(0.5))) * period


def _stripes(position: Floats, period: Floats) -> Floats:
    """Return the signed distance to the edge of stripes that are half a period wide."""
    return _wave(position, period) - period / 4
