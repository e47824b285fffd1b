"""What a network is made of and what it will take of a device, without making it.

Everything is built on the meta device: shapes without storage. Axes: N samples, C channels.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from worker.architectures.layers import ImageShape
from worker.registry import architectures, losses
from worker.training.head import Head, put_new_head

FLOAT_BYTES = 4
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


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
        model = entry.function(image_shape, classes, **entry.fill(parameters))
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


def memory_mib(
    name: str,
    parameters: Mapping[str, Any],
    image_shape: ImageShape,
    classes: int,
    *,
    batch_size: int,
    optimizer_slots: int,
    precision: str = "float32",
    head: Head | None = None,
) -> float:
    """Device memory that training will take, in MiB: weights, gradients, optimizer, activations.

    What backward needs is measured by recording what autograd saves in one step. Half
    precision is estimated with every activation in it and one copy of the weights beside the
    float32 ones. The data, the libraries' workspaces and CUDA's context come on top.

    Args:
        name: the architecture.
        parameters: its parameters.
        image_shape: channels, height, width.
        classes: how many classes there are.
        batch_size: images a step.
        optimizer_slots: tensors that the optimizer keeps for each parameter.
        precision: float32, bfloat16 or float16.
        head: a new head, in fine-tuning.

    Raises:
        ValueError: the network does not admit this.
    """
    dtype = PRECISIONS[precision]
    model = build_on_meta(name, parameters, image_shape, classes, head)
    sizes = count_parameters(model)
    gradients_and_slots = 1 + optimizer_slots
    kept = FLOAT_BYTES * (sizes["with_statistics"] + gradients_and_slots * sizes["trainable"])
    if dtype is not torch.float32:
        kept += dtype.itemsize * sizes["trainable"]
    return (kept + _saved_bytes(model.to(dtype), image_shape, batch_size, dtype)) / 2**20


def _saved_bytes(
    model: nn.Module, image_shape: ImageShape, batch_size: int, dtype: torch.dtype
) -> int:
    """Bytes that autograd keeps for backward, the weights themselves left out."""
    own = {_address(tensor) for tensor in model.parameters()}
    saved: dict[int, torch.UntypedStorage] = {}  # kept alive, so that no address comes twice

    def remember(tensor: torch.Tensor) -> torch.Tensor:
        if _address(tensor) not in own:
            saved[_address(tensor)] = tensor.untyped_storage()
        return tensor

    images_NCHW = torch.empty(batch_size, *image_shape, device="meta", dtype=dtype)
    labels_N = torch.zeros(batch_size, device="meta", dtype=torch.int64)
    model.train()
    with saved_tensors_hooks(remember, lambda tensor: tensor):
        losses.get("cross_entropy").function(model(images_NCHW), labels_N)
    return sum(storage.nbytes() for storage in saved.values())


def _address(tensor: torch.Tensor) -> int:
    """What tells one storage from another, also on the meta device, where none has memory."""
    return tensor.untyped_storage()._cdata  # noqa: SLF001 - storages have no public identity
