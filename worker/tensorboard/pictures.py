"""What a tensor looks like: its histogram, and the first layer's filters as tiles. Pure functions.

Axes: O filters, C channels, H height, W width, B intervals.
"""
# The messages' modules are generated: a checker sees nothing in them.
# pyright: reportAttributeAccessIssue=false

import math

import numpy as np
import torch
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from torch import Tensor, nn
from torch.utils.tensorboard import summary

BINS = 64
#: Values of a histogram gone through at once: a CPU's caches hold so many, a GPU wants more.
PART = {"cpu": 2**15, "cuda": 2**22}
MOST_TILES = 64
#: A tile is enlarged to about as many pixels.
TILE_PIXELS = 24


def scalar(name: str, value: float) -> Summary:
    """One figure."""
    return summary.scalar(name, value)


def histogram(name: str, tensor: Tensor) -> Summary | None:
    """How often values fall into each of 64 intervals of equal width between the extremes.

    Values that are not finite are left out; None where nothing is left.
    """
    values = tensor.detach().flatten()
    if not len(values):
        return None
    low, high = (extreme.item() for extreme in values.aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):  # only then is it worth a copy
        return histogram(name, values[values.isfinite()])
    margin = max(1.0, abs(low)) / 2 if low == high else 0.0  # one value alone is a bar too
    edges = np.linspace(low - margin, high + margin, BINS + 1).tolist()
    total, squares, counts = _sums(values, edges[0], edges[-1])
    proto = HistogramProto(
        min=low,
        max=high,
        num=len(values),
        sum=total,
        sum_squares=squares,
        bucket_limit=edges[1:],
        bucket=counts,
    )
    return Summary(value=[Summary.Value(tag=name, histo=proto)])


def _sums(values: Tensor, low: float, high: float) -> tuple[float, float, list[int]]:
    """Sum, sum of squares and counts of the intervals, on the device, in float64.

    A large tensor is gone through in parts, so that it is never there in float64 as a whole.
    """
    total, squares = values.new_zeros(2, dtype=torch.float64)
    counts_B = values.new_zeros(BINS, dtype=torch.int64)
    for part in values.split(PART.get(values.device.type, PART["cpu"])):
        exact = part.to(torch.float64, copy=True)
        total += exact.sum()
        squares += exact.dot(exact)
        places = exact.sub_(low).mul_(BINS / (high - low)).clamp_(max=BINS - 1)
        # Not histc: on a GPU it is refused where training is deterministic.
        counts_B += places.to(torch.uint8).bincount(minlength=BINS)
    return total.item(), squares.item(), counts_B.tolist()


def filters(name: str, tiles_OCHW: Tensor) -> Summary:
    """The first filters side by side, each as a small picture in grey or colour.

    Zero is mid-grey, and one scale serves all, so that weak filters look weak.
    """
    tiles_OCHW = tiles_OCHW[:MOST_TILES].detach().float().cpu().nan_to_num()
    count, _, height, width = tiles_OCHW.shape
    largest = tiles_OCHW.abs().max().item() or 1.0
    grey_OCHW = 0.5 + tiles_OCHW / (2 * largest)
    scale = max(1, TILE_PIXELS // max(height, width))
    grey_OCHW = grey_OCHW.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    framed_OCHW = nn.functional.pad(grey_OCHW, (0, 1, 0, 1))  # a black line between
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    empty = framed_OCHW.new_zeros(rows * columns - count, *framed_OCHW.shape[1:])
    sheet = torch.cat([framed_OCHW, empty]).unflatten(0, (rows, columns))
    picture_CHW = sheet.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)
    return summary.image(name, picture_CHW.numpy(), dataformats="CHW")


def first_layer(model: nn.Module, image_shape: tuple[int, int, int]) -> tuple[str, Tensor] | None:
    """Name and weights of the first layer as pictures [O, C, H, W], of grey or colour.

    Of a convolution its filters, of a dense layer what each unit multiplies the image with; None
    where neither is a picture.
    """
    for name, weight in model.named_parameters():
        if weight.ndim == 4:
            is_picture = weight.shape[1] in (1, 3)
            return (name, weight) if is_picture else None
        if weight.ndim == 2:
            is_picture = weight.shape[1] == math.prod(image_shape) and min(image_shape[1:]) > 1
            return (name, weight.unflatten(1, image_shape)) if is_picture else None
    return None
