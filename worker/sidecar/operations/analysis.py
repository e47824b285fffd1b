"""`analysis`: the memory that an analysis of a checkpoint takes, from its network's shapes."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from shared.settings import Settings
from shared.storage import Storage
from worker.analyses.memory import predict_memory_mib
from worker.registry import SpecError
from worker.sidecar.operations.predict import DAMAGED
from worker.sidecar.request import Operation, RequestRefused, Subject, fault
from worker.training.head import Head
from worker.training.meta_model import build_on_meta


def analysis(request: dict[str, Any]) -> dict[str, Any]:
    """Return the predicted memory of an analysis: `memory_mib`.

    Args:
        request: weights (the path of the checkpoint's file in the storage), kind, parameters (all
            of them), first (the first layer that the checkpoint's stage trains, or null),
            train_samples, batch_size, is_on_gpu.

    Raises:
        RequestRefused: the file is damaged, or of another version.
    """
    path = Storage(Settings().storage).path(request["weights"])
    try:
        architecture, image_shape, classes = _network(path)
        name, head = architecture.pop("name"), architecture.pop("head", None)
        model = build_on_meta(name, architecture, image_shape, classes, head and Head(**head))
    except (SafetensorError, KeyError, ValueError, SpecError) as error:
        raise RequestRefused(fault("/checkpoint", DAMAGED)) from error
    memory_mib = predict_memory_mib(
        request["kind"],
        request["parameters"],
        model,
        image_shape,
        first=request["first"],
        train_samples=request["train_samples"],
        batch_size=request["batch_size"],
        is_on_gpu=request["is_on_gpu"],
    )
    return {"memory_mib": memory_mib}


def _network(path: Path) -> tuple[dict[str, Any], tuple[int, int, int], int]:
    """Return the architecture, the shape of an image and the number of outputs."""
    with safe_open(path, framework="pt") as file:
        texts = file.metadata() or {}
    channels, height, width = json.loads(texts["image_shape"])
    outputs = len(json.loads(texts["class_names"])) or 1
    return json.loads(texts["architecture"]), (channels, height, width), outputs


ANALYSIS = Operation(
    analysis,
    is_kept=True,
    subject=Subject("/kind", "predict the memory of the analysis", "Analyse a smaller network."),
)
