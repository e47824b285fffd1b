"""Outputs and losses of single samples. Axes: N samples, M outputs."""

from dataclasses import dataclass

import torch
from torch import Tensor

from worker.analyses.subject import Subject
from worker.training.experiment import Loss, Split
from worker.training.inference import predict_batches


@dataclass(frozen=True)
class Predictions:
    """What a network says of every sample of a split, on the CPU."""

    #: float32 [N, M].
    outputs_NM: Tensor
    #: As the network is trained to predict them, [N].
    targets_N: Tensor
    #: The data loss of each sample, float64 [N].
    losses_N: Tensor


def losses_of_samples(loss: Loss, outputs_NM: Tensor, targets_N: Tensor) -> Tensor:
    """Return the loss of each sample, [N], from a loss that is a mean over samples."""

    def of_sample(outputs_M: Tensor, target: Tensor) -> Tensor:
        return loss(outputs_M.unsqueeze(0), target.unsqueeze(0))

    return torch.vmap(of_sample)(outputs_NM, targets_N)


@torch.no_grad()
def predict_split(subject: Subject, split: Split) -> Predictions:
    """Return the predictions for a split without augmentation, in evaluation mode."""
    experiment = subject.experiment
    outputs: list[Tensor] = []
    targets: list[Tensor] = []
    losses: list[Tensor] = []
    model = experiment.model.eval()
    for outputs_NM, targets_N in predict_batches(experiment, model, experiment.on_device(split)):
        subject.check()
        outputs.append(outputs_NM.cpu())
        targets.append(targets_N.cpu())
        losses.append(losses_of_samples(experiment.loss, outputs_NM, targets_N).cpu())
    return Predictions(torch.cat(outputs), torch.cat(targets), torch.cat(losses).double())
