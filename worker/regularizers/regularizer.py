"""The ways in which a regularizer can act on training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

#: Images [N, C, H, W], targets (classes [N] or probabilities [N, M]) and M → images, targets.
OnBatch = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]

#: Images → logits [N, M] in float32: repeats the forward pass of the step, as `Replay` does.
Forward = Callable[[Tensor], Tensor]
#: `Forward`, images and their logits → a further term of the objective, part of autograd's graph.
OnForward = Callable[[Forward, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Penalty:
    """A term Ω of the objective that depends on the weights only.

    Its gradient has a closed form and is added after the backward pass: one pass over the weights
    instead of autograd's four.
    """

    #: Weights → Ω, a scalar.
    value: Callable[[list[Tensor]], Tensor]
    #: Adds dΩ/dW in place: (weights, their gradients) → None.
    add_gradient: Callable[[list[Tensor], list[Tensor]], None]
    #: A pattern of layer names; None for every weight.
    only: str | None = None
    #: d²Ω/dw² of each weight w, a constant; 0 where the gradient is piecewise constant.
    second_derivative: float = 0.0


@dataclass(frozen=True)
class Regularizer:
    """The parts of a regularizer; None or empty for the parts that it does not have."""

    penalty: Penalty | None = None
    on_batch: OnBatch | None = None
    on_forward: OnForward | None = None
    #: Values for parameters of the architecture, set where the architecture has the parameter.
    overrides: Mapping[str, Any] = field(default_factory=dict)
