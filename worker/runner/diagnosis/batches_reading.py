"""The labels of the batches of the first epoch. Axes: N samples, B batches, M classes."""

import math

from torch import Tensor

from worker.diagnostics.readings import BatchesReading
from worker.training.experiment import Experiment
from worker.training.seed import sample_order

#: The batches that a finding lists.
MAX_LISTED = 20


def read_batches(experiment: Experiment) -> BatchesReading:
    """Return how the labels are spread over the batches of the first epoch."""
    stage, labels_N = experiment.stages[0], experiment.splits.train.labels.long()
    size = min(stage.batch_size, len(labels_N))
    ordered_N = labels_N[sample_order(len(labels_N), experiment.seed, 1)]
    full = len(ordered_N) // size
    batches_BN = ordered_N[: full * size].view(full, size)
    single_B = (batches_BN == batches_BN[:, :1]).all(1)
    counts = labels_N.bincount(minlength=experiment.classes).tolist()
    return BatchesReading(
        batches=full,
        single=int(single_B.sum()),
        expected_single=full * _probability_of_one_label(counts, size),
        first_single=tuple((1 + single_B.nonzero().flatten()[:MAX_LISTED]).tolist()),
        order_deviations=_missing_changes(ordered_N, counts),
    )


def _probability_of_one_label(counts: list[int], size: int) -> float:
    """Return the probability that samples drawn without replacement have the same label."""

    def log_choices(count: int) -> float:
        return math.lgamma(count + 1) - math.lgamma(size + 1) - math.lgamma(count - size + 1)

    every = log_choices(sum(counts))
    return sum(math.exp(log_choices(count) - every) for count in counts if count >= size)


def _missing_changes(ordered_N: Tensor, counts: list[int]) -> float:
    """Return how many deviations fewer neighbours differ than in a random order."""
    total = len(ordered_N)
    if total < 2:
        return 0.0
    equal = sum(count * (count - 1) for count in counts) / (total * (total - 1))
    changes = int((ordered_N[1:] != ordered_N[:-1]).sum())
    deviation = math.sqrt((total - 1) * equal * (1 - equal))
    return ((total - 1) * (1 - equal) - changes) / deviation if deviation > 0 else 0.0
