"""The normalization of inputs: mean and standard deviation per channel of the training split.

Axes: N samples, C channels or columns, H height, W width.
"""

import torch
from torch import Tensor

from worker.registry import SpecError
from worker.training.deviation import deviation_of
from worker.training.device_split import Normalization
from worker.training.host_split import HostImages
from worker.training.transfer import Weights


def choose_normalization(
    kind: str | None, train_NCHW: Tensor | HostImages, weights: Weights | None
) -> Normalization:
    """Return the normalization of a job.

    Args:
        kind: `standardize`, `unit`, `none`, or `of_weights` for the normalization that the weights
            were trained with.
        train_NCHW: the training split; floating point stands for the columns of a table.
        weights: the weights that fine-tuning starts from.

    Raises:
        SpecError: the kind does not fit the data or the weights.
    """
    if kind == "of_weights":
        if weights is None or weights.normalization is None:
            raise SpecError(
                "dataset.normalization is of_weights, but the weights have no record of their "
                "normalization; it must be standardize, unit or none."
            )
        return weights.normalization
    if isinstance(train_NCHW, Tensor) and train_NCHW.is_floating_point():
        return _of_table(kind, train_NCHW.flatten(1).double())
    return _of_images(kind, train_NCHW)


def _of_images(kind: str | None, train_NCHW: Tensor | HostImages) -> Normalization:
    """Return the normalization of uint8 images.

    `standardize` counts each of the 256 pixel values, so its result is exact and the same on every
    machine. A constant channel is centred, not scaled.
    """
    channels = train_NCHW.shape[1]
    if kind == "standardize":
        moments = [_moments(counts_V) for counts_V in _count_values(train_NCHW)]
        return Normalization(
            mean=tuple(mean for mean, _ in moments),
            deviation=tuple(deviation for _, deviation in moments),
        )
    if kind == "unit":
        return Normalization((0.0,) * channels, (1.0,) * channels)
    if kind == "none":
        return Normalization((0.0,) * channels, (1 / 255,) * channels)
    raise SpecError(
        f"dataset.normalization is {kind}; it must be standardize, unit, none or of_weights."
    )


def _of_table(kind: str | None, rows_NC: Tensor) -> Normalization:
    """Return the normalization of a table's columns, float64 [N, C]."""
    columns = rows_NC.shape[1]
    if kind == "none":
        return Normalization((0.0,) * columns, (1.0,) * columns, largest=1.0)
    if kind != "standardize":
        raise SpecError(
            f"dataset.normalization is {kind}; for a table it must be standardize or none."
        )
    mean_C, deviation_C = rows_NC.mean(0), deviation_of(rows_NC)
    return Normalization(tuple(mean_C.tolist()), tuple(deviation_C.tolist()), largest=1.0)


def _count_values(images_NCHW: Tensor | HostImages) -> Tensor:
    """Return how often each channel has each of the 256 pixel values, float64 [C, 256]."""
    counts_CV = torch.zeros(images_NCHW.shape[1], 256, dtype=torch.float64)
    # bincount converts to int64, and images may be outside of memory: not all at once
    for start in range(0, len(images_NCHW), 1024):
        for channel, pixels in enumerate(images_NCHW[start : start + 1024].unbind(1)):
            counts_CV[channel] += torch.bincount(pixels.flatten(), minlength=256)
    return counts_CV


def _moments(counts_V: Tensor) -> tuple[float, float]:
    """Return mean and standard deviation of uint8 pixels as fractions of 255.

    A standard deviation of 0 is returned as 1.
    """
    values = torch.arange(256, dtype=torch.float64) / 255
    mean = (counts_V @ values / counts_V.sum()).item()
    deviation = (counts_V @ (values - mean).square() / counts_V.sum()).sqrt().item()
    return mean, deviation or 1.0
