"""What a regularizer can do to a training: the few places where it may act."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

#: Images [N, C, H, W], targets (classes [N] or probabilities [N, M]) and M → images, targets.
OnBatch = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]

#: Images → logits [N, M] in float32: the step's forward pass once more, as `Replay` has it.
Forward = Callable[[Tensor], Tensor]
#: That, images and their logits → a further term of the objective, which autograd follows.
OnForward = Callable[[Forward, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Penalty:
    """A term Ω of the objective that depends on weights alone.

    Its gradient is given in closed form and added to what backward left: one pass over the
    weights instead of autograd's four.
    """

    #: Weights → Ω, a scalar.
    value: Callable[[list[Tensor]], Tensor]
    #: Weights and their gradients, to which dΩ/dW is added in place.
    add_gradient: Callable[[list[Tensor], list[Tensor]], None]
    #: A pattern of layer names; None for every weight.
    only: str | None = None


@dataclass(frozen=True)
class Regularizer:
    """Where a regularizer acts; each place may be empty."""

    penalty: Penalty | None = None
    on_batch: OnBatch | None = None
    on_forward: OnForward | None = None
    #: Whether `on_batch` mixes targets of several samples, so that none has one class any more.
    mixes_targets: bool = False
    #: Parameters of the architecture that it sets, where the architecture has them.
    overrides: Mapping[str, Any] = field(default_factory=dict)
