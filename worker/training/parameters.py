"""The tensors of a network: which are weights, and which a pattern matches."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from worker.registry import SpecError
from worker.training.tensor_norms import euclidean_norms


def weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return matrices and filters by name, without biases and the scales of normalizations."""
    return {name: tensor for name, tensor in model.named_parameters() if tensor.ndim >= 2}


def matches(name: str, pattern: str) -> bool:
    """Return whether a pattern matches a tensor, by the tensor's name or by its layer's.

    Args:
        name: a tensor's name, such as `head.output.weight`.
        pattern: a name with `*`, `?` and `[…]`, such as `head.*` or `*.conv1`.
    """
    layer = name.rpartition(".")[0]
    return fnmatchcase(name, pattern) or fnmatchcase(layer, pattern)


def select(
    named: Mapping[str, nn.Parameter], pattern: str | None, field: str
) -> dict[str, nn.Parameter]:
    """Return the tensors that a pattern matches.

    Args:
        named: the tensors by name.
        pattern: see `matches`; None matches all.
        field: the field of the specification that holds the pattern, for the error.

    Raises:
        SpecError: it matches none.
    """
    if pattern is None:
        return dict(named)
    selected = {name: tensor for name, tensor in named.items() if matches(name, pattern)}
    if not selected:
        raise SpecError(f"{field}: {no_layer(pattern, named)}")
    return selected


def no_layer(pattern: str, tensor_names: Iterable[str]) -> str:
    """Return the message about a pattern that matches none of the tensors."""
    return f"The pattern {pattern!r} matches no layer. The layers are: {layer_names(tensor_names)}."


def layer_names(tensor_names: Iterable[str]) -> str:
    """Return the names of the tensors' layers as a list for an error message."""
    return ", ".join(dict.fromkeys(name.rpartition(".")[0] for name in tensor_names))


def gradient_norms(model: nn.Module) -> dict[str, float]:
    """Return the norm of each weight's gradient in the last step, by name."""
    gradients = {
        name: tensor.grad for name, tensor in weights(model).items() if tensor.grad is not None
    }
    if not gradients:
        return {}
    norms = euclidean_norms([*gradients.values()]).tolist()
    return dict(zip(gradients, norms, strict=True))


def has_batch_norm(model: nn.Module) -> bool:
    """Return whether a network normalizes over the batch, which takes at least two samples."""
    return any(isinstance(layer, _BatchNorm) for layer in model.modules())
