"""What a network is made of, without making it: on the meta device, shapes without storage."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from worker.architectures.layers import ImageShape
from worker.registry import architectures
from worker.training.head import Head, put_new_head


def build_on_meta(
    name: str,
    parameters: Mapping[str, Any],
    image_shape: ImageShape,
    classes: int,
    head: Head | None = None,
) -> nn.Module:
    """The network as shapes alone, with a new head where one is given.

    Raises:
        ValueError: name, parameters, image size or class count are not admitted.
    """
    entry = architectures.get(name)
    smallest = entry.facts["image_size"]["minimum"]
    largest = entry.facts["image_size"].get("maximum")
    size = min(image_shape[1:])
    if size < smallest or (largest is not None and max(image_shape[1:]) > largest):
        bounds = f"at least {smallest}" + (f" and at most {largest}" if largest else "")
        raise ValueError(f"{name} takes images of {bounds} pixels, and these have {size}")
    if classes < 1:
        raise ValueError(f"a classifier has at least one class, and {classes} were asked for")
    with torch.device("meta"):
        model = entry.function(image_shape, classes, **entry.check(parameters))
        if head is not None:
            put_new_head(model, classes, head)
    return model


def describe(
    name: str,
    parameters: Mapping[str, Any],
    image_shape: ImageShape,
    classes: int,
    head: Head | None = None,
) -> dict[str, int]:
    """How many parameters a network has.

    Returns:
        `trainable`, and `with_statistics`: the running means and variances of batch norm added,
        its counters of batches not.

    Raises:
        ValueError: the network does not admit this.
    """
    return count_parameters(build_on_meta(name, parameters, image_shape, classes, head))


def count_parameters(model: nn.Module) -> dict[str, int]:
    """The same for a built network."""
    trainable = sum(parameter.numel() for parameter in model.parameters())
    statistics = sum(b.numel() for b in model.buffers() if b.is_floating_point())
    return {"trainable": trainable, "with_statistics": trainable + statistics}
