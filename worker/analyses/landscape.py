"""The loss of a network whose weights are moved away from a checkpoint.

Axes: N samples, M outputs. Weights are kept by name, as a state of the network.
"""

import math
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from worker.analyses.partial_results import PartialResults
from worker.analyses.subject import Subject
from worker.training.device_split import Batches
from worker.training.experiment import Split
from worker.training.freezing import freeze
from worker.training.inference import mean_loss, predict_batches
from worker.training.seed import generator
from worker.training.topk import is_right

#: Keeps the length of a filter from being divided by 0 (Li et al. 2018, their code).
TINY = 1e-10

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Height:
    """The objective at a point, without Ω; `accuracy` is None in a regression."""

    loss: float
    accuracy: float | None


class Landscape:
    """Evaluates the data loss of a copy of the network at any weights.

    Args:
        subject: the network and its data.
        split: the split, from which the samples are.
        samples_N: indices into the split, int64.
        recomputes_batch_norm: whether the running statistics of batch norm are computed again at
            every point, on the same samples.
    """

    def __init__(
        self,
        subject: Subject,
        split: Split,
        samples_N: Tensor,
        *,
        recomputes_batch_norm: bool = False,
    ) -> None:
        self._subject = subject
        self._batches: Batches = subject.experiment.on_device(split)
        self._samples_N = samples_N.to(subject.experiment.device)
        self._model = deepcopy(subject.experiment.model).eval()
        freeze(self._model, subject.stage.first)
        self._norms = [
            layer
            for layer in self._model.modules()
            if isinstance(layer, _BatchNorm) and layer.track_running_stats
        ]
        self._recomputes = recomputes_batch_norm and bool(self._norms)

    def trained_weights(self) -> dict[str, Tensor]:
        """Return copies of the weights that the subject's stage trains, by name."""
        named = self._model.named_parameters()
        return {name: weight.detach().clone() for name, weight in named if weight.requires_grad}

    @torch.no_grad()
    def height(self, weights: Weights) -> Height:
        """Return the loss and the accuracy at these weights, given by name.

        Weights that are left out stay as they are.
        """
        self._model.load_state_dict(dict(weights), strict=False)
        if self._recomputes:
            self._recompute_statistics()
        losses: list[Tensor] = []
        sizes: list[int] = []
        right = 0
        experiment = self._subject.experiment
        predicted = predict_batches(experiment, self._model, self._batches, self._samples_N)
        for outputs_NM, targets_N in predicted:
            self._subject.check()
            losses.append(experiment.loss(outputs_NM, targets_N))
            sizes.append(len(targets_N))
            if experiment.class_names:
                right += int(is_right(outputs_NM, targets_N).sum())
        accuracy = right / sum(sizes) if experiment.class_names else None
        return Height(mean_loss(losses, sizes), accuracy)

    def _recompute_statistics(self) -> None:
        """Set running means and variances from the samples, in one pass."""
        momenta = [layer.momentum for layer in self._norms]
        for layer in self._norms:
            layer.reset_running_stats()
            layer.momentum = None  # the average over all batches, each with the same weight
            layer.train()
        for _ in predict_batches(
            self._subject.experiment, self._model, self._batches, self._samples_N
        ):
            self._subject.check()
        for layer, momentum in zip(self._norms, momenta, strict=True):
            layer.momentum = momentum
            layer.eval()


def known_height(partial: PartialResults, name: str, compute: Callable[[], Height]) -> Height:
    """Return the height of a point, which is computed where no earlier attempt has done so."""

    def values() -> Tensor:
        height = compute()
        accuracy = math.nan if height.accuracy is None else height.accuracy
        return torch.tensor([height.loss, accuracy], dtype=torch.float64)

    loss, accuracy = partial.once(name, values).tolist()
    return Height(loss, None if math.isnan(accuracy) else accuracy)


def random_direction(
    weights: Weights, seed: int, number: int, *, is_normalized: bool
) -> dict[str, Tensor]:
    """Return a Gaussian direction in the space of the weights, by name.

    With filter normalization each filter (an output channel of a convolution, a row of a dense
    matrix) of the direction has the norm of the network's filter, and one-dimensional tensors
    (biases, batch norm) do not move: the picture then does not depend on the scale of the weights.
    Source: Li et al. 2018, Visualizing the loss landscape of neural nets, arXiv:1712.09913, eq. 1.

    Args:
        weights: of the network.
        seed: of the analysis.
        number: of the direction.
        is_normalized: whether filters are normalized.
    """
    drawn = generator(seed, "analysis", "direction", number)
    direction: dict[str, Tensor] = {}
    for name, weight in weights.items():
        values = torch.randn(weight.shape, generator=drawn).to(weight)
        if is_normalized:
            values = _normalized(values, weight)
        direction[name] = values
    return direction


def _normalized(direction: Tensor, weight: Tensor) -> Tensor:
    if weight.ndim < 2:
        return torch.zeros_like(direction)
    flat, own = direction.flatten(1), weight.flatten(1)
    lengths = own.norm(dim=1, keepdim=True) / (flat.norm(dim=1, keepdim=True) + TINY)
    return (flat * lengths).view_as(direction)


def moved(
    weights: Weights, steps: Mapping[int, float], directions: Mapping[int, Weights]
) -> dict[str, Tensor]:
    """Return the weights after a step along each direction.

    Args:
        weights: where to start.
        steps: the length of the step along each direction.
        directions: by number; each has the same names as the weights.
    """
    result = {name: tensor.clone() for name, tensor in weights.items()}
    for number, length in steps.items():
        for name, tensor in result.items():
            tensor.add_(directions[number][name], alpha=length)
    return result
