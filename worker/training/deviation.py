"""The standard deviation by which inputs and targets are scaled."""

import torch
from torch import Tensor


def deviation_of(values: Tensor) -> Tensor:
    """Return the standard deviation over the first axis, float64; 1 where all values are equal.

    Args:
        values: float64, finite.
    """
    deviation = values.std(0, correction=0)
    # Squares of very small values are 0.
    centred = values - values.mean(0)
    largest = centred.abs().amax(0)
    unit = torch.where(largest > 0, largest, 1.0)
    deviation = torch.where(deviation > 0, deviation, (centred / unit).std(0, correction=0) * unit)
    is_constant = (values.amax(0) == values.amin(0)) | (deviation == 0)
    return torch.where(is_constant, 1.0, deviation)
