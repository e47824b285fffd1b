"""Which layers a stage trains. The others are frozen: no gradients, evaluation mode.

A frozen layer keeps its batch-norm statistics too: in training mode they would drift to those of
the new images, and the features that were to be kept would not be those of the weights.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

#: The classifier, in every architecture.
HEAD = "head"


def freeze(model: nn.Module, first: str | None) -> list[nn.Module]:
    """Set which parameters have gradients; return the modules that are to be evaluated only.

    Args:
        model: the network, changed in place.
        first: name or pattern of the first layer that is trained, with all that come after it in
            the network's own order, such as "head" or "body.blocks.5"; None trains everything.

    Raises:
        ValueError: the pattern matches no layer.
    """
    named = list(model.named_modules())
    start = 0 if first is None else _place(named, first)
    begun = named[start][0]
    frozen: list[nn.Module] = []
    for place, (name, module) in enumerate(named):
        is_around = name == "" or begun.startswith(f"{name}.")
        is_trained = place >= start
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(is_trained)
        if not is_trained and not is_around:
            frozen.append(module)
    return frozen


def set_modes(model: nn.Module, frozen: Sequence[nn.Module]) -> None:
    """Training mode for everything but the frozen modules."""
    model.train()
    for module in frozen:
        module.training = False


def check_first(model: nn.Module, first: str) -> None:
    """Refuse a pattern that matches no layer with parameters behind it.

    Raises:
        ValueError: the text names the parts that there are.
    """
    named = list(model.named_modules())
    start = _place(named, first)
    if not any(True for _, m in named[start:] for _ in m.parameters(recurse=False)):
        raise ValueError(f"nothing from {first!r} on has parameters that could be trained")


def _place(named: list[tuple[str, nn.Module]], first: str) -> int:
    for place, (name, _) in enumerate(named):
        if name and (name == first or fnmatchcase(name, first)):
            return place
    parts = [name for name, _ in named if name and name.count(".") <= 1]
    raise ValueError(f"the pattern {first!r} matches no layer; there are: {', '.join(parts[:60])}")
