"""The control of a training: the same network on labels in a random order."""

import copy
import time
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from worker.diagnostics.on_demand import ShuffledControl
from worker.runner.diagnosis.short_training import (
    losses_of_steps,
    sample_of,
    unchanged_generators,
)
from worker.training.evaluation import score
from worker.training.experiment import Experiment, Stage


def shuffled_control(
    experiment: Experiment, stage: Stage, weights: Mapping[str, Tensor], *, seconds: float
) -> ShuffledControl | None:
    """Train a copy for at most an epoch on shuffled labels, and return its validation accuracy.

    Args:
        experiment: the job's; it is not changed.
        stage: its optimizer and batch size are used.
        weights: the initial weights and buffers.
        seconds: the limit of time; None is returned where it is too short for ten steps.
    """
    train, validation = experiment.splits.train, experiment.splits.validation
    order_N = sample_of(experiment, "shuffled labels", len(train.labels))
    shuffled = replace(train, labels=train.labels[order_N])
    trial = replace(experiment, splits=replace(experiment.splits, train=shuffled))
    model = copy.deepcopy(experiment.model)
    constant = replace(stage, epochs=1, plateau=None, early_stopping=None)
    deadline, taken = time.monotonic() + seconds, 0
    steps = experiment.steps_of_epoch(stage)
    for _ in losses_of_steps(trial, constant, weights, "shuffled", steps, model=model):
        taken += 1
        if time.monotonic() > deadline:
            break
    if taken < min(10, steps):
        return None
    with unchanged_generators(experiment.device):
        metrics = score(
            replace(trial, model=model), experiment.on_device(validation), has_metrics=True
        ).metrics
    counts_M = torch.bincount(validation.labels.long(), minlength=experiment.classes)
    return ShuffledControl(
        steps=taken,
        accuracy=metrics["accuracy"],
        chance=counts_M.max().item() / len(validation.labels),
        samples=len(validation.labels),
    )
