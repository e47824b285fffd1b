"""How much the gradients of batches differ from their mean.

Source: Byrd, Chin, Nocedal & Wu 2012, Mathematical Programming 134, equation 3.6 (norm test);
McCandlish et al. 2018, arXiv:1812.06162, appendix A.1 (estimates without bias).
"""

import math

import torch
from torch import Tensor

from worker.diagnostics.on_demand import GradientNoise
from worker.runner.diagnosis.probe import use_batch_statistics
from worker.runner.diagnosis.short_training import sample_of, unchanged_generators
from worker.training.evaluation_mode import evaluation_mode
from worker.training.experiment import Experiment, Split, Stage
from worker.training.replay import frozen_statistics

#: Parts of the sample, and the most samples of a part.
PARTS, MAX_PART = 8, 64


def gradient_noise(
    experiment: Experiment, stage: Stage, *, step: int, epoch: int
) -> GradientNoise | None:
    """Return the noise of the gradients now; None where there are too few samples.

    Args:
        experiment: its model as it is now, on clean training samples and without dropout.
        stage: its batch size.
        step: the steps of the job so far.
        epoch: the epochs of the job so far.
    """
    train = experiment.splits.train
    part = min(stage.batch_size, MAX_PART, len(train.labels) // PARTS)
    if part < 2:
        return None
    order_N = sample_of(experiment, f"noise/{epoch}", PARTS * part)
    sample = experiment.on_device(
        Split(train.images[order_N], train.labels[order_N], train.indices[order_N])
    )
    model = experiment.model
    trained = [p for p in model.parameters() if p.requires_grad]
    total: list[Tensor] = []
    squares = 0.0
    with (
        unchanged_generators(experiment.device),
        evaluation_mode(model),
        torch.enable_grad(),
        frozen_statistics(model),
    ):
        use_batch_statistics(model)
        for start in range(0, PARTS * part, part):
            images_NCHW, labels_N = sample.batch(slice(start, start + part))
            loss = experiment.loss(model(images_NCHW).float(), labels_N)
            parts = torch.autograd.grad(loss, trained, allow_unused=True)
            gradients = [
                torch.zeros_like(p) if g is None else g for p, g in zip(trained, parts, strict=True)
            ]
            squares += _squared_norm(gradients)
            total = (
                [a + g for a, g in zip(total, gradients, strict=True)] if total else [*gradients]
            )
    mean = _squared_norm(total) / PARTS**2
    variance = max(0.0, squares - PARTS * mean) / (PARTS - 1)  # of a part's gradient
    signal = mean - variance / PARTS
    noise = variance * part / stage.batch_size  # of a batch's gradient
    return GradientNoise(
        step=step,
        epoch=epoch,
        samples=PARTS * part,
        batch_size=stage.batch_size,
        squared_ratio=noise / signal if signal > 0 else math.inf,
    )


def _squared_norm(tensors: list[Tensor]) -> float:
    return sum(tensor.double().square().sum().item() for tensor in tensors)
