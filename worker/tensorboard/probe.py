"""The gradients on a fixed sample, which can be compared from epoch to epoch.

The probe runs in evaluation mode and leaves the training's gradients alone: it draws no random
numbers and updates no running statistics, so that the training is bit for bit the same with it. It
computes in float32 whatever the training's precision: small gradients would be 0 in float16
without a scaled loss.
"""

import torch
from torch import Tensor

from worker.training.evaluation_mode import evaluation_mode
from worker.training.experiment import Experiment, Split
from worker.training.seed import sample_order

MAX_SAMPLES = 64


class Probe:
    """A sample of the training split, drawn from the job's seed."""

    def __init__(self, experiment: Experiment) -> None:
        train = experiment.splits.train
        indices_N = sample_order(len(train.labels), experiment.seed, 0)[:MAX_SAMPLES]
        self._experiment = experiment
        sample = Split(train.images[indices_N], train.labels[indices_N], train.indices[indices_N])
        self._sample = experiment.on_device(sample)
        batch_size = min(stage.batch_size for stage in experiment.stages)
        if experiment.precision != "float32":
            batch_size = max(1, batch_size // 2)  # float32 takes twice the memory of a step
        self._batch_size = min(batch_size, MAX_SAMPLES)

    def gradients(self) -> dict[str, Tensor]:
        """Return ∂(data loss)/∂w by parameter name, for the parameters that the stage trains.

        The sample is processed in batches no larger than a step's, so that the probe needs no more
        memory than training.
        """
        model, samples = self._experiment.model, len(self._sample)
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        sums: dict[str, Tensor] = {}
        with evaluation_mode(model), torch.enable_grad():
            for first in range(0, samples, self._batch_size):
                images_NCHW, labels_N = self._sample.batch(slice(first, first + self._batch_size))
                loss = self._experiment.loss(model(images_NCHW), labels_N)
                weighted = loss * (len(labels_N) / samples)
                gradients = torch.autograd.grad(weighted, [*trained.values()], allow_unused=True)
                for name, gradient in zip(trained, gradients, strict=True):
                    if gradient is not None:
                        # Not in place: autograd may return the same tensor for two parameters.
                        sums[name] = sums[name] + gradient if name in sums else gradient
        return sums
