"""What an analysis works on: a network with the weights of a checkpoint, and its data."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from worker.analyses.partial_results import PartialResults
from worker.training.experiment import Experiment, Split, Stage
from worker.training.seed import generator


class Stopped(Exception):
    """The analysis has to stop: a user cancels it, or its worker stops."""


class AnalysisRefused(ValueError):
    """The analysis makes no sense for this job; the message says why and what to do."""


def _never_stop() -> None:
    """Continue."""


def _ignore_progress(_done: int, _total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Subject:
    """A trained network, its data, and how an analysis reports to its attempt."""

    #: Its model has the weights of the checkpoint.
    experiment: Experiment
    #: The stage in which the checkpoint was made; the weights that it froze are constants.
    stage: Stage
    #: The name and the parameters of the stage's optimizer, as the specification has them.
    optimizer: Mapping[str, Any] = field(default_factory=dict)
    #: What is recorded of the checkpoint's evaluation on the test split; None without one.
    test: Mapping[str, Any] | None = None
    #: The metric by which the checkpoint was chosen as the best; None for other checkpoints.
    monitor: str | None = None
    #: The id of a checkpoint → its weights; None stands for the initial weights of the job.
    load_weights: Callable[[str | None], dict[str, Tensor]] | None = None
    #: Called often. Raises `Stopped` where the analysis has to stop.
    check: Callable[[], None] = _never_stop
    #: Called with the work that is done and the total, in any unit.
    report: Callable[[int, int], None] = _ignore_progress
    #: What earlier attempts of the same analysis have computed: a method keeps what takes long.
    partial: PartialResults = field(default_factory=PartialResults)


def require_finite(loss: float, where: str = "at the checkpoint") -> None:
    """Refuse an analysis of weights whose loss is not finite.

    Raises:
        AnalysisRefused: it is not.
    """
    if not math.isfinite(loss):
        raise AnalysisRefused(
            f"The loss {where} is {loss}: the training diverged. Analyse an earlier checkpoint."
        )


def draw_samples(split: Split, count: int, seed: int) -> Tensor:
    """Return the indices of a random sample of a split, int64 in increasing order.

    Args:
        split: of the experiment.
        count: at most so many samples; all of the split where it has no more.
        seed: of the drawing.
    """
    total = len(split.labels)
    if count >= total:
        return torch.arange(total)
    order = torch.randperm(total, generator=generator(seed, "analysis", "samples"))
    return order[:count].sort().values
