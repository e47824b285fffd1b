"""The gradients of the weights on a fixed sample: comparable from epoch to epoch, without a trace.

In evaluation mode nothing is drawn and no running figure moves, and the gradients that training
uses are not touched: a training that is looked at is bit for bit the one that is not. All is
computed in float32, whatever the training's precision: without a scaled loss float16's small
gradients would be 0.
"""

import torch
from torch import Tensor

from worker.tensorboard.modes import evaluating
from worker.training.device_split import DeviceSplit
from worker.training.experiment import Experiment
from worker.training.seed import order

MOST_SAMPLES = 64


class Probe:
    """A seeded sample of the training split, kept for the whole training."""

    def __init__(self, experiment: Experiment) -> None:
        train = experiment.splits.train
        chosen_N = order(len(train.labels), experiment.seed, 0)[:MOST_SAMPLES]
        self._experiment = experiment
        self._sample = DeviceSplit(
            train.images[chosen_N],
            train.labels[chosen_N],
            experiment.normalization,
            experiment.device,
        )
        batch_size = min(stage.batch_size for stage in experiment.stages)
        if experiment.precision != "float32":
            batch_size = max(1, batch_size // 2)  # each takes twice a step's memory here
        self._part = min(batch_size, MOST_SAMPLES)

    def gradients(self) -> dict[str, Tensor]:
        """∂(data loss)/∂w by name, of the weights that the stage trains.

        The sample goes through in parts no larger than a step of the training, so that what a
        job may be looked at with is the memory that it trains in.
        """
        model, samples = self._experiment.model, len(self._sample)
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        sums: dict[str, Tensor] = {}
        with evaluating(model), torch.enable_grad():
            for first in range(0, samples, self._part):
                images_NCHW, labels_N = self._sample.batch(slice(first, first + self._part))
                loss = self._experiment.loss(model(images_NCHW), labels_N)
                share = loss * (len(labels_N) / samples)
                found = torch.autograd.grad(share, [*trained.values()], allow_unused=True)
                for name, gradient in zip(trained, found, strict=True):
                    if gradient is not None:
                        # Not in place: two weights may be given one and the same tensor.
                        sums[name] = sums[name] + gradient if name in sums else gradient
        return sums
