"""Weights from elsewhere under a new head: which tensors fit, and putting them in."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from worker.training.device_split import Normalization
from worker.training.freezing import HEAD

#: How many tensors a refusal names.
NAMED = 5


@dataclass(frozen=True)
class Weights:
    """What fine-tuning starts from."""

    #: Tensors by the module's own names; those of a head are left out when they are put in.
    tensors: Mapping[str, Tensor]
    #: How the inputs were normalised that they were trained with, where that is known.
    normalization: Normalization | None


def body_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and statistics of everything but the head, by name."""
    return {name: t for name, t in model.state_dict().items() if not _is_of_head(name)}


def check_fits(wanted: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse weights that are of another network; heads are not looked at.

    Args:
        wanted: `body_tensors` of the network.
        shapes: of the weights, by name.

    Raises:
        ValueError: a tensor is missing, is one too many or has another shape.
    """
    given = {name: shape for name, shape in shapes.items() if not _is_of_head(name)}
    # Counters of batches are in no file of another library, and decide nothing.
    missing = [
        name for name in wanted if name not in given and not name.endswith("num_batches_tracked")
    ]
    unknown = [name for name in given if name not in wanted]
    others = [
        f"{name} is {list(shape)} and should be {list(wanted[name].shape)}"
        for name, shape in given.items()
        if name in wanted and tuple(wanted[name].shape) != tuple(shape)
    ]
    for what, names in (("lack", missing), ("have, unknown here,", unknown), ("differ:", others)):
        if names:
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            raise ValueError(
                f"the weights are of another network; they {what} {', '.join(names[:NAMED])}{more}"
            )


@torch.no_grad()
def load_body(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put weights into everything but the head.

    Raises:
        ValueError: they are of another network, or one is not finite.
    """
    wanted = body_tensors(model)
    check_fits(wanted, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    for name, own in wanted.items():
        if name not in tensors:
            continue
        if not tensors[name].isfinite().all():
            raise ValueError(f"the weights are not all finite: {name} is not")
        own.copy_(tensors[name])


def _is_of_head(name: str) -> bool:
    return name.startswith(f"{HEAD}.")
