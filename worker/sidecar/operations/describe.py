"""`describe`: whether a network can be built, its parameter count and its memory.

Networks are built on the meta device, shapes without storage.
"""

from dataclasses import asdict
from typing import Any

from torch import nn

from worker.regularizers.overrides import architecture_parameters, build_regularizers, new_head
from worker.sidecar.memory import predict_mib
from worker.sidecar.request import Fault, Operation, RequestRefused, Subject, fault
from worker.training.freezing import check_first
from worker.training.meta_model import build_on_meta, count_parameters
from worker.training.parameters import matches, no_layer, weights
from worker.training.transfer import body_tensors, check_fits
from worker.training.work import WorkCounter

MAX_PARAMETERS = 2_000_000_000


def describe(request: dict[str, Any]) -> dict[str, Any]:
    """Return the parameter count of a network; with `batch_size` also memory and work of a step.

    Args:
        request: architecture (object form), regularizers, image [C, H, W], classes, patterns of
            layer names by their pointers; for memory also batch_size, optimizers (of every
            stage, in object form) and precision; in fine-tuning also head, first (the first
            trained layer of stages, by pointers), and the shapes of the weights' tensors by name.

    Raises:
        RequestRefused: the network cannot be built like this.
    """
    architecture = dict(request["architecture"])
    name = architecture.pop("name")
    image, classes = tuple(request["image"]), request["classes"]
    try:
        regularizers = build_regularizers(request.get("regularizers", {}))
        head = new_head(request["head"], regularizers) if "head" in request else None
        parameters = architecture_parameters(name, architecture, regularizers)
        model = build_on_meta(name, parameters, image, classes, head)
    except ValueError as error:
        raise RequestRefused(fault(_pointer(str(error)), error)) from error
    count = count_parameters(model)
    if count["trainable"] > MAX_PARAMETERS:
        text = f"The network has {count['trainable']:,} parameters; at most {MAX_PARAMETERS:,} "
        raise RequestRefused(fault("/architecture", text + "are allowed."))
    faults = _pattern_faults(request, model) + _fine_tuning_faults(request, model)
    if faults:
        raise RequestRefused(*faults)
    response: dict[str, Any] = {"parameter_count": count}
    if "batch_size" in request:
        counter = WorkCounter()
        response["memory_mib"] = predict_mib(request, parameters, head, counter)
        response["work"] = asdict(counter.work)
    return response


def _pattern_faults(request: dict[str, Any], model: nn.Module) -> list[Fault]:
    """Return a fault for every pattern that matches no layer."""
    faults: list[Fault] = []
    named = weights(model)
    for pointer, pattern in request.get("patterns", {}).items():
        if not any(matches(name, pattern) for name in named):
            faults.append(fault(pointer, no_layer(pattern, named)))
    return faults


def _fine_tuning_faults(request: dict[str, Any], model: nn.Module) -> list[Fault]:
    """Return a fault for every stage that trains no layer, and for weights that do not fit."""
    faults: list[Fault] = []
    for pointer, first in request.get("first", {}).items():
        try:
            check_first(model, first)
        except ValueError as error:
            faults.append(fault(pointer, error))
    if "tensors" in request:
        shapes = {name: tuple(shape) for name, shape in request["tensors"].items()}
        try:
            check_fits(body_tensors(model), shapes)
        except ValueError as error:
            faults.append(fault("/fine_tuning/weights", error))
    return faults


def _pointer(text: str) -> str:
    """Return the field to change: the image size where the text is about pixels."""
    return "/dataset/image_size" if "pixels" in text else "/architecture"


DESCRIBE = Operation(
    describe,
    is_kept=True,
    subject=Subject("/architecture", "check the network", "Use a smaller network."),
)
