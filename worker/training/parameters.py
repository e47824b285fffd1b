"""Which tensors of a network are weights, and which of them a pattern means."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """Matrices and filters by name: no biases and no scales of a normalisation."""
    return {name: tensor for name, tensor in model.named_parameters() if tensor.ndim >= 2}


def matches(name: str, pattern: str) -> bool:
    """Whether a pattern means this tensor: by its own name or by its layer's.

    Args:
        name: a tensor's name, such as `head.output.weight`.
        pattern: a name with `*`, `?` and `[…]`, such as `head.*` or `*.conv1`.
    """
    layer = name.rpartition(".")[0]
    return fnmatchcase(name, pattern) or fnmatchcase(layer, pattern)


def selected(
    named: dict[str, nn.Parameter], pattern: str | None, what: str
) -> dict[str, nn.Parameter]:
    """The tensors that a pattern means; None means all.

    Raises:
        ValueError: it means none; the text names the layers there are.
    """
    if pattern is None:
        return named
    chosen = {name: tensor for name, tensor in named.items() if matches(name, pattern)}
    if not chosen:
        raise ValueError(
            f"{what}: the pattern {pattern!r} matches no layer; there are: {layers(named)}"
        )
    return chosen


def layers(named: Iterable[str]) -> str:
    """The layers of these tensors, as a text for people."""
    return ", ".join(dict.fromkeys(name.rpartition(".")[0] for name in named))


def gradient_norms(model: nn.Module) -> dict[str, float]:
    """The norm of the gradient that the last step left in each weight, by name."""
    return {
        name: tensor.grad.norm().item()
        for name, tensor in weights(model).items()
        if tensor.grad is not None
    }


def has_batch_norm(model: nn.Module) -> bool:
    """Whether a network computes figures over the batch."""
    return any(isinstance(layer, _BatchNorm) for layer in model.modules())
