"""The weights of classes in the training loss. Axes: N samples, M classes."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from worker.training.experiment import Loss

ClassWeights = Literal["balanced"] | Mapping[str, float]


def weights_of(
    choice: ClassWeights | None, class_names: tuple[str, ...], labels_N: Tensor
) -> Tensor | None:
    """Return the weight of each class, float32 [M]; None without weights.

    `balanced` is N/(M·count), so that every class has the same total weight; a class without
    samples has the weight 0.

    Args:
        choice: `loss.class_weights` of a filled specification.
        class_names: in the order of the labels.
        labels_N: the labels of the training split.
    """
    if choice is None:
        return None
    if choice == "balanced":
        counts_M = torch.bincount(labels_N, minlength=len(class_names)).double()
        weights_M = len(labels_N) / (len(class_names) * counts_M)
        return weights_M.masked_fill(counts_M == 0, 0).float()
    return torch.tensor([choice[name] for name in class_names], dtype=torch.float32)


def weighted(loss: Loss, weights_M: Tensor) -> Loss:
    """Return a loss that weights each sample: Σ wᵢ·lᵢ / Σ wᵢ over the batch, as PyTorch does.

    A sample's weight is its class's; of a mixed or smoothed target it is Σ target·weight. A batch
    whose weights are all 0 has the loss 0, where PyTorch has NaN.

    Args:
        loss: a mean over samples.
        weights_M: the weight of each class, on the device.
    """

    def of_sample(outputs_M: Tensor, target: Tensor) -> Tensor:
        return loss(outputs_M.unsqueeze(0), target.unsqueeze(0))

    def weighted_mean(outputs_NM: Tensor, targets: Tensor) -> Tensor:
        losses_N = torch.vmap(of_sample)(outputs_NM, targets)
        weights_N = targets @ weights_M if targets.is_floating_point() else weights_M[targets]
        total = weights_N.sum().clamp(min=torch.finfo(torch.float32).tiny)
        return (losses_N * weights_N).sum() / total

    return weighted_mean
