"""The model library's hub: whether a job can get weights from it, or from its local cache."""

import importlib
from typing import Any

from huggingface_hub import constants, hf_hub_url, try_to_load_from_cache

from shared.settings import Settings
from worker.architectures.zoo.registration import ZOO_MODELS
from worker.architectures.zoo.timm_models import import_timm
from worker.data.fetching import NO_DOWNLOADS, responds

#: The network whose weights are installed as a package.
PACKAGED = "efficientnet_lite0"
#: The files of weights that the library looks for, in this order.
FILES = ("model.safetensors", "pytorch_model.bin")


def why_missing(name: str, settings: Settings) -> str | None:
    """Return why no job can start from a network's weights and how to bring them.

    Args:
        name: of a network of the zoo whose weights are in the hub.
        settings: of this process.

    Returns:
        None where the weights are in the local cache or can be downloaded now.
    """
    source = _source(name)
    if _is_cached(source):
        return None
    if not settings.downloads:
        reason = NO_DOWNLOADS
    elif constants.HF_HUB_OFFLINE:
        reason = "the model library's hub is switched off (HF_HUB_OFFLINE)"
    elif responds(_address(source)):
        return None
    else:
        reason = "the model library's hub does not respond"
    return f"The weights of `{name}` are not on this box, and {reason}. {how_to_bring(name)}"


def how_to_bring(name: str) -> str:
    """Return what a person does where the hub does not respond."""
    source = _source(name)
    if source.hf_hub_id:
        cache = "HF_HOME (~/.cache/huggingface unless set)"
        step = f"run `hf download {source.hf_hub_id} {FILES[0]}`"
    else:
        cache, step = "TORCH_HOME/hub/checkpoints", f"download {source.url}"
    return (
        f"On a machine with a network {step}, and copy the files to {cache} of the worker's user. "
        f"Or upload weights (POST /v1/weights), or use {PACKAGED}, which is always available."
    )


def _source(name: str) -> Any:
    """Return where the library gets the weights of a network from."""
    return import_timm().get_pretrained_cfg(ZOO_MODELS[name].timm_name)


def _is_cached(source: Any) -> bool:
    if source.hf_hub_id:
        return any(
            isinstance(try_to_load_from_cache(source.hf_hub_id, file), str) for file in FILES
        )
    return importlib.import_module("timm.models._hub").check_cached_file(source.url)


def _address(source: Any) -> str:
    return hf_hub_url(source.hf_hub_id, "config.json") if source.hf_hub_id else source.url
