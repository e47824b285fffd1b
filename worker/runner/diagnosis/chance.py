"""The loss of answers that do not look at the input. Axes: N samples, M outputs."""

from dataclasses import dataclass
from typing import Self

import torch

from worker.training.experiment import Experiment
from worker.training.seed import generator_states, restore_generators

#: Samples of which mixed targets are drawn.
SAMPLES = 256


@dataclass(frozen=True)
class Chance:
    """The losses by which the loss of a training is judged."""

    #: Of the best constant answer of those tried.
    loss: float
    #: Of equal scores for every class; of a regression, of the mean.
    equal_scores_loss: float
    #: The least training loss that smoothed or mixed targets allow.
    target_floor: float

    @classmethod
    @torch.no_grad()
    def of(cls, experiment: Experiment) -> Self:
        """Return the losses at chance of an experiment, on the labels of its training split."""
        labels_N = experiment.splits.train.labels
        if not experiment.class_names:
            targets_N = experiment.target_scale.scaled(labels_N).float()
            constants = (targets_N.mean(), targets_N.median())
            losses = [
                experiment.loss(constant.expand(len(targets_N), 1), targets_N).item()
                for constant in constants
            ]
            return cls(min(losses), losses[0], 0.0)
        counts_M = torch.bincount(labels_N.long(), minlength=experiment.classes).float()
        shares_M = (counts_M / counts_M.sum()).clamp_min(1e-9)
        # One sample of each class, weighted by its share: the same mean at any number of samples.
        each_class_N = torch.arange(experiment.classes)

        def mean_loss(scores_M: torch.Tensor) -> float:
            losses = [experiment.loss(scores_M[None], label[None]).item() for label in each_class_N]
            return sum(s * loss for s, loss in zip(shares_M.tolist(), losses, strict=True))

        equal = mean_loss(torch.zeros(experiment.classes))
        return cls(min(equal, mean_loss(shares_M.log())), equal, _target_floor(experiment))


def _target_floor(experiment: Experiment) -> float:
    """Return the entropy of the targets that regularizers make of classes."""
    on_batch = [part.on_batch for part in experiment.regularizers if part.on_batch]
    if not on_batch:
        return 0.0
    train, states = experiment.splits.train, generator_states(experiment.device)
    images = train.images[torch.arange(min(SAMPLES, len(train.labels)))].float()
    targets = train.labels[: len(images)]
    try:
        for part in on_batch:
            images, targets = part(images, targets, experiment.classes)
    finally:
        restore_generators(states, experiment.device)
    if not targets.is_floating_point():
        return 0.0
    entropy: float = -(targets * targets.clamp_min(1e-12).log()).sum(1).mean().item()
    return entropy
