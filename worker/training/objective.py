"""The objective of a step, and a rank's part of it. Axes: N samples, M classes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from worker.training.ranks import Part


@dataclass(frozen=True)
class Objective:
    """What a step minimizes, apart from the penalties of the weights: scalars."""

    #: The mean over samples.
    data_loss: Tensor
    #: The terms of `on_forward` regularizers, means over samples too; None without any.
    further_terms: Tensor | None

    @property
    def total(self) -> Tensor:
        """The sum of the terms."""
        if self.further_terms is None:
            return self.data_loss
        return self.data_loss + self.further_terms

    def of_part(self, part: Part, targets: Tensor, class_weights_M: Tensor | None) -> "Objective":
        """Return the part in the objective of the batch, from the means over the part.

        The parts of all ranks add up to the objective of one process.

        Args:
            part: of the batch.
            targets: of the whole batch: classes [N], probabilities [N, M], or numbers [N].
            class_weights_M: with which the data loss weights the samples; None without.
        """
        ones_N = torch.ones(len(targets), device=targets.device)
        weights_N = ones_N
        if class_weights_M is not None:
            is_mixed = targets.is_floating_point()
            weights_N = targets @ class_weights_M if is_mixed else class_weights_M[targets]
        further = self.further_terms
        return Objective(
            self.data_loss * part.share(weights_N),
            None if further is None else further * part.share(ones_N),
        )
