"""TensorBoard summaries: histograms of tensors, and the first layer's filters as an image.

Axes: O filters, C channels, H height, W width, B bins.
"""
# protobuf generates the message classes at run time, so that a type checker does not know them.
# pyright: reportAttributeAccessIssue=false

import math

import numpy as np
import torch
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from torch import Tensor, nn
from torch.utils.tensorboard import summary

BINS = 64
#: Values of a histogram that are counted at once: what fits a CPU's caches, and more on a GPU.
CHUNK_SIZES = {"cpu": 2**15, "cuda": 2**22}
MAX_TILES = 64
#: A tile is enlarged to about this width and height.
TILE_PIXELS = 24


def histogram(name: str, tensor: Tensor) -> Summary | None:
    """Return the histogram of a tensor, with 64 bins of equal width between its extremes.

    Values that are not finite are left out. Return None if no value is left.
    """
    values = tensor.detach().flatten()
    if not len(values):
        return None
    low, high = (extreme.item() for extreme in values.aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):  # the copy is made only if it is needed
        return histogram(name, values[values.isfinite()])
    margin = max(1.0, abs(low)) / 2 if low == high else 0.0  # a constant gets a bin, too
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
    """Return the sum, the sum of squares and the counts of the bins, computed in float64.

    A large tensor is processed in chunks, so that it is never in memory as float64 as a whole.
    """
    total, squares = values.new_zeros(2, dtype=torch.float64)
    counts_B = values.new_zeros(BINS, dtype=torch.int64)
    for chunk in values.split(CHUNK_SIZES.get(values.device.type, CHUNK_SIZES["cpu"])):
        exact = chunk.to(torch.float64, copy=True)
        total += exact.sum()
        squares += exact.dot(exact)
        indices = exact.sub_(low).mul_(BINS / (high - low)).clamp_(max=BINS - 1)
        # Not histc: on a GPU, torch refuses it when it is deterministic.
        counts_B += indices.to(torch.uint8).bincount(minlength=BINS)
    return total.item(), squares.item(), counts_B.tolist()


def filters(name: str, tiles_OCHW: Tensor) -> Summary:
    """Return an image with up to 64 filters as tiles, in grey or colour.

    Zero is mid-grey. All tiles have the same scale, so that weak filters look weak.
    """
    tiles_OCHW = tiles_OCHW[:MAX_TILES].detach().float().cpu().nan_to_num()
    count, _, height, width = tiles_OCHW.shape
    max_magnitude = tiles_OCHW.abs().max().item() or 1.0
    grey_OCHW = 0.5 + tiles_OCHW / (2 * max_magnitude)
    scale = max(1, TILE_PIXELS // max(height, width))
    grey_OCHW = grey_OCHW.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    framed_OCHW = nn.functional.pad(grey_OCHW, (0, 1, 0, 1))  # a black line between tiles
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    padding = framed_OCHW.new_zeros(rows * columns - count, *framed_OCHW.shape[1:])
    sheet = torch.cat([framed_OCHW, padding]).unflatten(0, (rows, columns))
    image_CHW = sheet.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)
    return summary.image(name, image_CHW.numpy(), dataformats="CHW")


def first_layer(model: nn.Module, image_shape: tuple[int, int, int]) -> tuple[str, Tensor] | None:
    """Return the name and the weights [O, C, H, W] of the first layer, to be shown as images.

    These are the filters of a convolution, or the weights of a dense layer by pixel. Return None
    if they have neither one channel nor three, or if the input is no image.
    """
    for name, weight in model.named_parameters():
        if weight.ndim == 4:
            is_image = weight.shape[1] in (1, 3)
            return (name, weight) if is_image else None
        if weight.ndim == 2:
            is_image = weight.shape[1] == math.prod(image_shape) and min(image_shape[1:]) > 1
            return (name, weight.unflatten(1, image_shape)) if is_image else None
    return None
