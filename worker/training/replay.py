"""A step's forward pass repeated on other images. Axes: N samples, M classes."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from worker.training.experiment import Experiment
from worker.training.seed import generator_states, restore_generators


class Replay:
    """Repeats the forward pass that follows its creation, and changes nothing in the network.

    Each pass draws the random numbers of the first pass, so that all share one dropout mask. Batch
    norm uses the statistics of the batch and does not record them.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._states = generator_states(experiment.device)

    def __call__(self, images_NCHW: Tensor) -> Tensor:
        """Return logits [N, M] in float32."""
        experiment = self._experiment
        restore_generators(self._states, experiment.device)
        with frozen_statistics(experiment.model), experiment.arithmetic.autocast():
            logits_NM: Tensor = experiment.model(images_NCHW)
        return logits_NM.float()


@contextmanager
def frozen_statistics(model: nn.Module) -> Iterator[None]:
    """Keep batch norm in training mode from updating its running statistics."""
    layers = [
        layer
        for layer in model.modules()
        if isinstance(layer, _BatchNorm) and layer.track_running_stats
    ]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True
