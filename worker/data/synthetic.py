"""Drawings of shapes and textures in colour: seeded, of any size, and not photographs.

What an image shows depends on its index alone, so a larger set begins with the smaller one.
Arithmetic that is exact everywhere (no sine, no exponential, raw PCG64 bits) makes the same
bytes on every machine, and so the same content hash.

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
CHUNK = 500  # images that share a generator
LEAST_CONTRAST = 0.16  # of mean brightness between ink and paper
SHAPES = 5  # the first classes; the others are textures

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Look:
    """What varies from image to image; each is uniform in [0, 1), of shape [N, 1, 1]."""

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
    """The first `count` drawings, `size` pixels wide and high, in three channels.

    Classes take turns, so every class has its share. Position, size, angle (within ±20°),
    thickness, both colours, shading and noise vary; colour says nothing about the class.

    Args:
        count: 1 to 100,000.
        size: 8 to 1024.
    """
    labels_N = np.arange(count, dtype=np.int64) % len(SYNTHETIC.classes)
    return Content((count, 3, size, size), _blocks(count, size), labels_N)


def _blocks(count: int, size: int) -> Iterator[Bytes]:
    at_once = max(1, BLOCK_BYTES // (4 * 3 * size * size))
    words = -(-3 * size * size // 8)
    for first in range(0, count, CHUNK):
        bits = np.random.PCG64(np.random.SeedSequence([SEED, first // CHUNK]))
        drawn = bits.random_raw(CHUNK * len(fields(Look))).reshape(CHUNK, len(fields(Look)))
        varied = ((drawn >> np.uint64(40)).astype(np.float32) / np.float32(2**24))[:, :, None, None]
        last = min(CHUNK, count - first)
        for start in range(0, last, at_once):
            stop = min(last, start + at_once)
            raw = bits.random_raw((stop - start) * words).astype("<u8").view(np.uint8)
            noise = raw.reshape(stop - start, words * 8)[:, : 3 * size * size]
            look = Look(*varied[start:stop].swapaxes(0, 1))
            classes_N = np.arange(first + start, first + stop) % len(SYNTHETIC.classes)
            yield _drawn(look, classes_N, noise.reshape(-1, 3, size, size), size)


def _drawn(look: Look, classes_N: npt.NDArray[np.int64], noise: Bytes, size: int) -> Bytes:
    """Ink where the class is, paper elsewhere, shading and noise over both."""
    line = ((2 * np.arange(size, dtype=np.float32) + 1) / np.float32(size) - 1).reshape(1, 1, -1)
    x, y = np.broadcast_to(line, (1, size, size)), line.swapaxes(1, 2)
    ink = np.empty((len(classes_N), size, size), np.float32)
    softness = np.float32(2.0 / size)  # one pixel, so that edges are anti-aliased
    for number in np.unique(classes_N):
        chosen = classes_N == number
        part = Look(*(getattr(look, field.name)[chosen] for field in fields(Look)))
        ink[chosen] = np.clip(0.5 - _distance(int(number), part, x, y) / softness, 0, 1)
    ink_NCHW, paper_NCHW = _colours(look)
    image = paper_NCHW + (ink_NCHW - paper_NCHW) * ink[:, None]
    image += ((look.shade - 0.5) * 60 * (x + y) / 2)[:, None]
    image += (8 + 32 * look.noise)[:, None] * (noise.astype(np.float32) / np.float32(127.5) - 1)
    return np.clip(np.floor(image + np.float32(0.5)), 0, 255).astype(np.uint8)


def _colours(look: Look) -> tuple[Floats, Floats]:
    """Two colours [N, 3, 1, 1] in 0 to 255, whose means are at least 28 apart."""
    ink = np.stack([look.red, look.green, look.blue], axis=1)
    paper = np.stack([look.paper_red, look.paper_green, look.paper_blue], axis=1)
    apart = (ink - paper).sum(axis=1, keepdims=True, dtype=np.float32) / 3
    wanted = np.where(apart >= 0, np.float32(LEAST_CONTRAST), np.float32(-LEAST_CONTRAST))
    push = np.where(np.abs(apart) < LEAST_CONTRAST, wanted - apart, np.float32(0)) / 2
    return 40 + 175 * (ink + push), 40 + 175 * (paper - push)


def _distance(number: int, look: Look, x: Floats, y: Floats) -> Floats:
    """Signed distance to the edge of class `number`, negative inside, [N, H, W]."""
    tangent = (look.turn * 2 - 1) * np.float32(0.17632698)  # of half of at most 20°
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
    """Distance to the nearest multiple of `period`: a triangle wave, 0 to half a period."""
    turns = position / period
    return np.abs(turns - np.floor(turns + np.float32(0.5))) * period


def _stripes(position: Floats, period: Floats) -> Floats:
    """Signed distance to the edge of stripes half a period wide."""
    return _wave(position, period) - period / 4
