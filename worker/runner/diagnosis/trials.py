"""Short trainings of a copy of the network, from its initial weights.

They draw from streams of their own and put every generator back, so that the job's training does
not change.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from worker.diagnostics.on_demand import GradientCheck, GradientNoise, ShuffledControl
from worker.diagnostics.readings import RangeTest, Record
from worker.runner.diagnosis.budget import Budget
from worker.runner.diagnosis.gradient_check import gradient_check
from worker.runner.diagnosis.gradient_noise import gradient_noise
from worker.runner.diagnosis.short_training import losses_of_steps
from worker.runner.diagnosis.shuffled_control import shuffled_control
from worker.training.experiment import Experiment, Stage

RANGE_STEPS = 100
#: Where steps are slow, the rate rises faster, in no fewer steps; the first steps show how slow.
MIN_RANGE_STEPS, TIMED_STEPS = 40, 3
LOWEST, HIGHEST = 1e-6, 10.0
#: Weight of the past in the smoothed loss, and the share of the steps before it is judged.
SMOOTHING, SKIPPED = 0.9, 0.1
#: The test ends once the smoothed loss is this many times the lowest.
HOPELESS = 4.0
OVERFIT_SAMPLES, OVERFIT_STEPS = 32, 200
#: The limit of each trial.
MAX_SECONDS = 10.0
#: Initial weights of more than this are not kept for a trial.
MAX_KEPT_BYTES = 256 * 2**20


class Trials:
    """The trials of a stage, each run when it is first needed and at most once.

    Args:
        experiment: the job's.
        budget: what the watch may take; a trial is not part of it, since it runs only where
            something points to it.
    """

    def __init__(self, experiment: Experiment, budget: Budget) -> None:
        self._experiment, self._budget = experiment, budget
        self._weights: dict[str, Tensor] | None = None

    def keep_weights(self) -> None:
        """Keep a copy of the weights, from which trials start."""
        state = self._experiment.model.state_dict()
        size = sum(tensor.nbytes for tensor in state.values())
        self._weights = None
        if size <= MAX_KEPT_BYTES:
            self._weights = {n: t.detach().to("cpu", copy=True) for n, t in state.items()}

    def range_test(self, stage: Stage, record: Record) -> RangeTest | None:
        """Return the range test of a stage; None where it cannot run."""
        if not record.has_range_test and self._weights is not None:
            record.has_range_test = True
            with self._budget.excluded():
                record.range_test = range_test(
                    self._experiment, stage, self._weights, seconds=MAX_SECONDS
                )
        return record.range_test

    def shuffled_control(self, stage: Stage, record: Record) -> ShuffledControl | None:
        """Return the accuracy after a training on shuffled labels; None where it cannot run."""
        if not record.has_control and self._weights is not None:
            record.has_control = True
            with self._budget.excluded():
                record.control = shuffled_control(
                    self._experiment, stage, self._weights, seconds=MAX_SECONDS
                )
        return record.control

    def gradient_check(self) -> GradientCheck | None:
        """Return the errors of the gradient; None where the network is too large to copy."""
        if self._weights is None:
            return None
        with self._budget.excluded():
            return gradient_check(self._experiment, self._weights)

    def gradient_noise(
        self, stage: Stage, record: Record, *, step: int, epoch: int
    ) -> Sequence[GradientNoise]:
        """Measure the noise of the gradients once at a step; return all of the record."""
        if not record.noise or record.noise[-1].step != step:
            with self._budget.excluded():
                noise = gradient_noise(self._experiment, stage, step=step, epoch=epoch)
            record.noise += [] if noise is None else [noise]
        return tuple(record.noise)

    def overfit_test(self, stage: Stage, record: Record) -> list[tuple[int, float]] | None:
        """Return the losses while one batch is learned; None where it cannot run."""
        if record.overfit_curve is None and self._weights is not None:
            with self._budget.excluded():
                record.overfit_curve = overfit_test(
                    self._experiment, stage, self._weights, seconds=MAX_SECONDS
                )
        return record.overfit_curve


def range_test(
    experiment: Experiment, stage: Stage, weights: Mapping[str, Tensor], *, seconds: float
) -> RangeTest | None:
    """Raise the learning rate exponentially, step by step, and return the loss.

    Args:
        experiment: the job's; it is not changed.
        stage: its optimizer, batch size and first layer are used.
        weights: the initial weights and buffers.
        seconds: the time that all steps should take; None is returned where twice the time is too
            short.
    """
    steps = RANGE_STEPS
    growth = _growth(steps)
    rising = replace(
        stage,
        epochs=1,
        learning_rate=LOWEST,
        schedule=lambda updates, _total: growth**updates,
        plateau=None,
        early_stopping=None,
    )
    curve: list[tuple[float, float]] = []
    average, weight, best, started_at = 0.0, 0.0, math.inf, math.nan
    for index, loss in enumerate(
        losses_of_steps(experiment, rising, weights, "range", RANGE_STEPS)
    ):
        if not math.isfinite(loss):
            curve.append((LOWEST * growth**index, math.inf))
            break
        past = SMOOTHING ** (RANGE_STEPS / steps)
        average, weight = past * average + (1 - past) * loss, past * weight + (1 - past)
        smoothed = average / weight
        curve.append((LOWEST * growth**index, smoothed))
        if index >= SKIPPED * steps:
            best = min(best, smoothed)
            if smoothed > HOPELESS * best + 0.5:
                break
        if index == 0:  # it is slower than the others
            started_at = time.monotonic()
        spent = time.monotonic() - started_at
        if index == TIMED_STEPS:
            fitting = int(seconds * TIMED_STEPS / max(spent, 1e-9))
            steps = min(RANGE_STEPS, max(MIN_RANGE_STEPS, fitting))
            growth = _growth(steps)
        if index + 1 == steps:
            break
        if spent > 2 * seconds:
            return None
    return judge_range(curve, skipped=int(SKIPPED * steps))


def _growth(steps: int) -> float:
    """Return the factor by which the rate rises from step to step."""
    return (HIGHEST / LOWEST) ** (1 / (steps - 1))


def judge_range(curve: list[tuple[float, float]], *, skipped: int = 10) -> RangeTest:
    """Return where the loss of a range test is lowest and where it begins to rise."""
    judged = curve[skipped:] or curve
    best_rate, best = min(judged, key=lambda point: point[1])
    start = judged[0][1]
    limit = max(1.5 * best, best + 0.5)
    diverging = next((r for r, loss in judged if r >= best_rate and not loss <= limit), None)
    is_useful = math.isfinite(best) and best < 0.95 * start
    return RangeTest(
        curve=tuple(curve),
        diverging=diverging,
        suggested=float(f"{best_rate / 10:.1e}") if is_useful else None,
    )


def overfit_test(
    experiment: Experiment, stage: Stage, weights: Mapping[str, Tensor], *, seconds: float
) -> list[tuple[int, float]] | None:
    """Train on one batch without regularization; return steps and losses."""
    plain = replace(experiment, regularizers=(), augment=None, is_mixed=False, training_loss=None)
    constant = replace(
        stage,
        epochs=1,
        batch_size=OVERFIT_SAMPLES,
        schedule=lambda _updates, _total: 1.0,
        plateau=None,
        early_stopping=None,
    )
    curve: list[tuple[int, float]] = []
    deadline = time.monotonic() + seconds
    losses = losses_of_steps(plain, constant, weights, "overfit", OVERFIT_STEPS, has_one_batch=True)
    for index, loss in enumerate(losses, start=1):
        if index in (25, 50, 100, OVERFIT_STEPS) or not math.isfinite(loss):
            curve.append((index, loss))
        if not math.isfinite(loss):
            break
        if time.monotonic() > deadline:
            return None
    return curve
