"""Which layers a stage trains. The others are frozen: no gradients, evaluation mode.

Evaluation mode keeps the statistics of a frozen layer's batch norm too. In training mode they would
drift to the statistics of the new images, and change the features that were to be kept. The same
happens to a body whose weights are trained further, under a head that has learned with the old
statistics: a stage can keep all batch norm of the body in evaluation mode.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from worker.registry import SpecError

#: The name of the classifier in every architecture.
HEAD = "head"
#: The most layers that an error names.
MAX_NAMED_LAYERS = 60

NamedModules = list[tuple[str, nn.Module]]


def freeze(
    model: nn.Module, first: str | None, *, keeps_statistics: bool = False
) -> list[nn.Module]:
    """Set which parameters have gradients; return the modules that stay in evaluation mode.

    Args:
        model: the network, changed in place.
        first: name or pattern of the first layer that is trained, with all layers after it in
            the network's order, such as "head" or "body.blocks.5"; None trains everything.
        keeps_statistics: whether all batch norm outside the head stays in evaluation mode. Its
            scale and shift are trained like other parameters.

    Raises:
        SpecError: the pattern matches no layer.
    """
    named = list(model.named_modules())
    start = 0 if first is None else _index_of(named, first)
    start_name = named[start][0]
    frozen: list[nn.Module] = []
    for index, (name, module) in enumerate(named):
        is_ancestor = name == "" or start_name.startswith(f"{name}.")
        is_trained = index >= start
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(is_trained)
        is_kept = keeps_statistics and isinstance(module, _BatchNorm) and not _is_in_head(name)
        if is_kept or (not is_trained and not is_ancestor):
            frozen.append(module)
    return frozen


def set_modes(model: nn.Module, frozen: Sequence[nn.Module]) -> None:
    """Set training mode for every module that is not frozen."""
    model.train()
    for module in frozen:
        module.training = False


def check_first(model: nn.Module, first: str) -> None:
    """Check that a pattern matches a layer, and that a parameter is left to train.

    Raises:
        SpecError: it does not, or there is none.
    """
    named = list(model.named_modules())
    start = _index_of(named, first)
    if not any(True for _, m in named[start:] for _ in m.parameters(recurse=False)):
        raise SpecError(f"No layer from {first!r} on has parameters to train.")


def _is_in_head(name: str) -> bool:
    return name.partition(".")[0] == HEAD


def _index_of(named: NamedModules, first: str) -> int:
    for index, (name, _) in enumerate(named):
        if name and (name == first or fnmatchcase(name, first)):
            return index
    layers = [name for name, _ in named if name and name.count(".") <= 1]
    raise SpecError(
        f"The pattern {first!r} matches no layer. The layers are: "
        f"{', '.join(layers[:MAX_NAMED_LAYERS])}."
    )
