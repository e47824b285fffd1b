"""Networks on the meta device: shapes without storage, to count and check before training."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from worker.architectures.layers import ImageShape
from worker.registry import SpecError, architectures
from worker.training.head import Head, put_new_head


def build_on_meta(
    name: str,
    parameters: Mapping[str, Any],
    image_shape: ImageShape,
    classes: int,
    head: Head | None = None,
) -> nn.Module:
    """Build a network as shapes alone.

    Args:
        name: the architecture.
        parameters: its parameters.
        image_shape: channels, height, width.
        classes: the number of outputs.
        head: a new head, in fine-tuning.

    Raises:
        SpecError: name, parameters, image size or class count are out of bounds.
    """
    entry = architectures.get(name)
    minimum = entry.facts["image_size"]["minimum"]
    maximum = entry.facts["image_size"].get("maximum")
    size = min(image_shape[1:])
    if size < minimum or (maximum is not None and max(image_shape[1:]) > maximum):
        bounds = f"at least {minimum}" + (f" and at most {maximum}" if maximum else "")
        raise SpecError(f"The images have {size} pixels; {name} takes images of {bounds} pixels.")
    if classes < 1:
        raise SpecError(f"The data set has {classes} classes; a classifier has at least one class.")
    with torch.device("meta"):
        model = entry.function(image_shape, classes, **entry.check(parameters))
        if head is not None:
            put_new_head(model, classes, head)
    return model


def count_parameters(model: nn.Module) -> dict[str, int]:
    """Count the parameters of a network.

    Returns:
        `trainable`, and `with_statistics`: the same plus the running means and variances of batch
        norm, but not its counters of batches.
    """
    trainable = sum(parameter.numel() for parameter in model.parameters())
    statistics = sum(b.numel() for b in model.buffers() if b.is_floating_point())
    return {"trainable": trainable, "with_statistics": trainable + statistics}
