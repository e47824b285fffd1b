"""Outputs and losses of single samples. Axes: N samples, M outputs."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from worker.analyses.partial_results import Part
from worker.analyses.subject import Subject
from worker.training.device_split import Batches
from worker.training.experiment import Loss
from worker.training.inference import predict_batches

#: A piece of a split is predicted in one go: so many pixels of a channel, but at least so many
#: samples.
PIECE_PIXELS = 2**22
MIN_PIECE = 256
COLUMNS = ("outputs", "targets", "losses")

OnPiece = Callable[[int], None]


def ignore_piece(_samples: int) -> None:
    """Report nothing."""


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
def predict_split(subject: Subject, name: str, on_piece: OnPiece = ignore_piece) -> Predictions:
    """Return the predictions for a split without augmentation, in evaluation mode.

    Args:
        subject: the network and its data.
        name: of the split.
        on_piece: called after each piece with the samples so far.
    """
    batches = subject.experiment.on_device(getattr(subject.experiment.splits, name))
    size = max(MIN_PIECE, PIECE_PIXELS // (batches.height * batches.width))
    pieces: list[Part] = []
    for start in range(0, len(batches), size):
        part, end = f"{name}/{start}", min(start + size, len(batches))
        piece = subject.partial.get(part)
        if piece is None:
            piece = _predict_piece(subject, batches, torch.arange(start, end))
            subject.partial.put(part, piece)
        pieces.append(piece)
        on_piece(end)
    return Predictions(*(torch.cat([piece[column] for piece in pieces]) for column in COLUMNS))


def _predict_piece(subject: Subject, batches: Batches, samples_N: Tensor) -> Part:
    experiment = subject.experiment
    outputs: list[Tensor] = []
    targets: list[Tensor] = []
    losses: list[Tensor] = []
    samples_N, model = samples_N.to(experiment.device), experiment.model.eval()
    for outputs_NM, targets_N in predict_batches(experiment, model, batches, samples_N):
        subject.check()
        outputs.append(outputs_NM.cpu())
        targets.append(targets_N.cpu())
        losses.append(losses_of_samples(experiment.loss, outputs_NM, targets_N).cpu())
    columns = torch.cat(outputs), torch.cat(targets), torch.cat(losses).double()
    return dict(zip(COLUMNS, columns, strict=True))
