"""Weights from another job or library under a new head: whether they fit, and loading them."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from worker.registry import SpecError
from worker.training.device_split import Normalization
from worker.training.freezing import HEAD

#: The most tensors that an error names.
MAX_NAMED_TENSORS = 5


@dataclass(frozen=True)
class Weights:
    """The weights that fine-tuning starts from."""

    #: Tensors by the module's own names. Tensors of a head are not loaded.
    tensors: Mapping[str, Tensor]
    #: The normalization of the inputs that they were trained with, if it is known.
    normalization: Normalization | None


def body_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the parameters and statistics of everything but the head, by name."""
    return {name: t for name, t in model.state_dict().items() if not _is_of_head(name)}


def check_fits(body: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Check that weights fit a network; their heads do not matter.

    Args:
        body: `body_tensors` of the network.
        shapes: the shapes of the weights, by name.

    Raises:
        SpecError: a tensor is missing, unknown or of another shape.
    """
    body_shapes = {name: shape for name, shape in shapes.items() if not _is_of_head(name)}
    # Files of other libraries have no counters of batches, which decide nothing.
    missing = [
        name
        for name in body
        if name not in body_shapes and not name.endswith("num_batches_tracked")
    ]
    unknown = [name for name in body_shapes if name not in body]
    different = [
        f"{name} is {list(shape)} and must be {list(body[name].shape)}"
        for name, shape in body_shapes.items()
        if name in body and tuple(body[name].shape) != tuple(shape)
    ]
    for fault, names in (
        ("missing", missing),
        ("not part of this network", unknown),
        ("of another shape", different),
    ):
        if names:
            rest = len(names) - MAX_NAMED_TENSORS
            more = f" and {rest} more" if rest > 0 else ""
            raise SpecError(
                "The weights belong to another network. Tensors that are "
                f"{fault}: {', '.join(names[:MAX_NAMED_TENSORS])}{more}."
            )


@torch.no_grad()
def load_body(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load weights into everything but the head.

    Raises:
        SpecError: they belong to another network, or have a value that is not finite.
    """
    body = body_tensors(model)
    check_fits(body, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    for name, tensor in body.items():
        if name not in tensors:
            continue
        if not tensors[name].isfinite().all():
            raise SpecError(f"The tensor {name!r} of the weights has a value that is not finite.")
        tensor.copy_(tensors[name])


def _is_of_head(name: str) -> bool:
    return name.startswith(f"{HEAD}.")
