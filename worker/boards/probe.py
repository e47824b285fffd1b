"""The gradients of the weights on a fixed sample: comparable from epoch to epoch, without a trace.

In evaluation mode nothing is drawn and no running figure moves, and the gradients that training
uses are not touched: a training that is looked at is bit for bit the one that is not.
"""

import torch
from torch import Tensor

from worker.boards.modes import evaluating
from worker.training.experiment import Experiment
from worker.training.resident import ResidentSplit
from worker.training.seed import order

MOST_SAMPLES = 64


class Probe:
    """A seeded sample of the training split, kept for the whole training."""

    def __init__(self, experiment: Experiment) -> None:
        train = experiment.splits.train
        chosen_N = order(len(train.labels), experiment.seed, 0)[:MOST_SAMPLES]
        self._experiment = experiment
        self._images_NCHW, self._labels_N = ResidentSplit(
            train.images[chosen_N],
            train.labels[chosen_N],
            experiment.normalization,
            experiment.device,
        ).batch(slice(None))

    def gradients(self) -> dict[str, Tensor]:
        """∂(data loss)/∂w by name, of the weights that the stage trains."""
        experiment, model = self._experiment, self._experiment.model
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        with evaluating(model), torch.enable_grad():
            with experiment.arithmetic.autocast():
                outputs_NM = model(self._images_NCHW)
            loss = experiment.loss(outputs_NM.float(), self._labels_N)
            found = torch.autograd.grad(loss, [*trained.values()], allow_unused=True)
        pairs = zip(trained, found, strict=True)
        return {name: gradient for name, gradient in pairs if gradient is not None}
