"""What is read of the network at the end of the training, within what the budget has left."""

from functools import cached_property

from torch import Tensor

from worker.diagnostics.on_demand import Baseline, ValidationReading
from worker.runner.diagnosis.budget import Budget
from worker.runner.diagnosis.validation_reading import (
    MAX_SAMPLES,
    baseline_seconds,
    confusion_of,
    read_baseline,
    scores_of,
    validation_sample,
)
from worker.training.experiment import Experiment, Split
from worker.training.topk import are_finite

#: A forward pass over the time of a reading of as many samples, which also goes backward.
FORWARD_SHARE = 0.4
#: Fewer samples say too little.
MIN_SAMPLES = 100


class FinalAnswers:
    """The answers on validation samples and a linear classifier's, each read when first needed.

    Args:
        experiment: the job's, after its last step.
        budget: what the watch may take.
        read_samples: the samples of the last reading, whose time is the budget's.
    """

    def __init__(self, experiment: Experiment, budget: Budget, read_samples: int) -> None:
        self._experiment, self._budget = experiment, budget
        self._read_samples = read_samples

    def validation(self) -> ValidationReading | None:
        """Return the answers; None where there is no time, or a score is not finite."""
        return None if self._answers is None else confusion_of(self._experiment, *self._answers)

    def baseline(self) -> Baseline | None:
        """Return the linear classifier; None where there is no time for it."""
        return self._baseline

    @cached_property
    def _answers(self) -> tuple[Split, Tensor] | None:
        if not self._experiment.class_names:
            return None
        split = validation_sample(self._experiment, samples=self._affordable())
        if len(split.labels) < MIN_SAMPLES:
            return None
        scores_NM = scores_of(self._experiment, split)
        return (split, scores_NM) if are_finite(scores_NM).all() else None

    @cached_property
    def _baseline(self) -> Baseline | None:
        if self._answers is None:
            return None
        if self._budget.left_seconds < baseline_seconds(self._experiment):
            return None
        return read_baseline(self._experiment, *self._answers)

    def _affordable(self) -> int:
        reading = self._budget.account.reading_seconds
        per_sample = FORWARD_SHARE * reading / max(1, self._read_samples)
        left = self._budget.left_seconds
        return max(1, min(MAX_SAMPLES, int(left / max(per_sample, 1e-9))))
