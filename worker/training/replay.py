"""A step's forward pass once more, on other images. Axes: N samples, M classes."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from worker.training.experiment import Experiment
from worker.training.seed import generator_states, restore_generators


class Replay:
    """Repeats the forward pass that follows its making, leaving no trace in the network.

    Each pass draws the random numbers of the first one, so that all share one dropout mask, and
    batch norm takes its figures from the batch without recording them.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._states = generator_states(experiment.device)

    def __call__(self, images_NCHW: Tensor) -> Tensor:
        """Logits [N, M] in float32."""
        experiment = self._experiment
        restore_generators(self._states, experiment.device)
        with unrecorded(experiment.model), experiment.arithmetic.autocast():
            logits_NM: Tensor = experiment.model(images_NCHW)
        return logits_NM.float()


@contextmanager
def unrecorded(model: nn.Module) -> Iterator[None]:
    """Batch norm in training mode normalises as ever, but updates no running figures."""
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
