"""Short trainings of a copy of the network, from its initial weights.

They draw from streams of their own and put every generator back, so that the job's training does
not change.
"""

import copy
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from worker.diagnostics.readings import RangeTest, Record
from worker.runner.diagnosis.budget import Budget
from worker.training.experiment import Experiment, Split, Splits, Stage
from worker.training.seed import derive, generator_states, restore_generators
from worker.training.step import Stepper

RANGE_STEPS = 100
LOWEST, HIGHEST = 1e-6, 10.0
#: Weight of the past in the smoothed loss, and the steps before it is judged.
SMOOTHING, SKIPPED = 0.9, 10
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
        seconds: the limit of time; None is returned where it is too short to judge.
    """
    growth = (HIGHEST / LOWEST) ** (1 / (RANGE_STEPS - 1))
    rising = replace(
        stage,
        epochs=1,
        learning_rate=LOWEST,
        schedule=lambda updates, _total: growth**updates,
        plateau=None,
        early_stopping=None,
    )
    curve: list[tuple[float, float]] = []
    average, best, deadline = 0.0, math.inf, time.monotonic() + seconds
    for index, loss in enumerate(_losses(experiment, rising, weights, "range", RANGE_STEPS)):
        if not math.isfinite(loss):
            curve.append((LOWEST * growth**index, math.inf))
            break
        average = SMOOTHING * average + (1 - SMOOTHING) * loss
        smoothed = average / (1 - SMOOTHING ** (index + 1))
        curve.append((LOWEST * growth**index, smoothed))
        if index >= SKIPPED:
            best = min(best, smoothed)
            if smoothed > HOPELESS * best + 0.5:
                break
        if time.monotonic() > deadline:
            return None
    return judge_range(curve)


def judge_range(curve: list[tuple[float, float]]) -> RangeTest:
    """Return where the loss of a range test is lowest and where it begins to rise."""
    judged = curve[SKIPPED:] or curve
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
    losses = _losses(plain, constant, weights, "overfit", OVERFIT_STEPS, has_one_batch=True)
    for index, loss in enumerate(losses, start=1):
        if index in (25, 50, 100, OVERFIT_STEPS) or not math.isfinite(loss):
            curve.append((index, loss))
        if not math.isfinite(loss):
            break
        if time.monotonic() > deadline:
            return None
    return curve


def _losses(
    experiment: Experiment,
    stage: Stage,
    weights: Mapping[str, Tensor],
    purpose: str,
    steps: int,
    *,
    has_one_batch: bool = False,
) -> Iterator[float]:
    """Train a copy of the network and yield the data loss of each step."""
    train = experiment.splits.train
    generator = torch.Generator().manual_seed(derive(experiment.seed, "diagnostics", purpose))
    order_N = torch.randperm(len(train.labels), generator=generator)
    needed = stage.batch_size * (1 if has_one_batch else steps)
    order_N = order_N[:needed]
    sample = Split(train.images[order_N], train.labels[order_N], train.indices[order_N])
    with _unchanged_generators(experiment.device):
        model = copy.deepcopy(experiment.model)
        model.load_state_dict(dict(weights))
        trial = replace(
            experiment,
            model=model,
            splits=Splits(sample, experiment.splits.validation, experiment.splits.test),
            seed=derive(experiment.seed, "diagnostics", purpose, "steps") % 2**53,
            stages=(stage,),
        )
        batches = trial.on_device(sample)
        stepper = Stepper(trial, stage, batches)
        if has_one_batch:
            _switch_off_dropout(model)
        else:
            model.train()
        for module in stepper.frozen:
            module.training = False
        indices = torch.arange(len(order_N), device=experiment.device).split(stage.batch_size)
        full = [part for part in indices if len(part) > 1] or list(indices)
        for step in range(steps):
            result = stepper.step(full[step % len(full)], step=step + 1, updates=step)
            yield result.data_loss.item()


def _switch_off_dropout(model: torch.nn.Module) -> None:
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.modules.dropout._DropoutNd):  # noqa: SLF001 - the only base class
            module.training = False


@contextmanager
def _unchanged_generators(device: torch.device) -> Iterator[None]:
    states = generator_states(device)
    try:
        yield
    finally:
        restore_generators(states, device)
