"""Batch norm of a body that is trained further: kept in evaluation mode, or trained."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.worker.experiments import data, spec, vgg
from worker.build import build
from worker.training.experiment import Experiment
from worker.training.fit import fit
from worker.training.freezing import freeze, set_modes
from worker.training.reports import EpochEnded
from worker.training.transfer import Weights

BODY_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@pytest.fixture(scope="module")
def weights() -> Weights:
    """Return weights whose batch norm has the statistics of other images."""
    experiment = build(spec(architecture=vgg(), seed=99), data(train=64))
    for _ in fit(experiment):
        pass
    tensors = {name: tensor.clone() for name, tensor in experiment.model.state_dict().items()}
    for name, tensor in tensors.items():
        if name.endswith("running_mean"):
            tensor.add_(5)
    return Weights(tensors, experiment.normalization)


def tuned(weights: Weights, batch_norm: str, **optimizer: Any) -> Experiment:
    stage = {
        "name": "fine_tune",
        "train": "all",
        "epochs": 1,
        "optimizer": {"name": "sgd", **optimizer},
        "batch_norm": batch_norm,
    }
    tuning = {"head": {"hidden_units": [5], "dropout": 0.0}, "stages": [stage]}
    dataset = {"name": "any", "normalization": "of_weights"}
    return build(
        spec(dataset=dataset, architecture=vgg(dropout=0.0), fine_tuning=tuning),
        data(validation=32),  # train_eval_loss is then of the whole training split
        weights=weights,
    )


def train(experiment: Experiment) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Train; return the tensors afterwards and the metrics of the last epoch."""
    metrics: dict[str, float] = {}
    for report in fit(experiment):
        if isinstance(report, EpochEnded):
            metrics = dict(report.metrics)
    return experiment.model.state_dict(), metrics


def is_statistic(name: str) -> bool:
    return name.endswith(BODY_STATISTICS)


def test_frozen_keeps_the_statistics_and_trains_scale_and_shift(weights: Weights) -> None:
    state, _ = train(tuned(weights, "frozen", learning_rate=0.01))
    body = [name for name in weights.tensors if not name.startswith("head.")]
    changed = {name for name in body if not torch.equal(state[name], weights.tensors[name])}
    assert changed == {name for name in body if not is_statistic(name)}


def test_train_replaces_the_statistics(weights: Weights) -> None:
    state, _ = train(tuned(weights, "train", learning_rate=0.01))
    for name, tensor in weights.tensors.items():
        if is_statistic(name) and not name.startswith("head."):
            assert not torch.equal(state[name], tensor), name


def test_frozen_trains_with_the_outputs_that_evaluation_has(weights: Weights) -> None:
    """At a rate of almost 0, the training loss is the loss in evaluation mode."""
    _, frozen = train(tuned(weights, "frozen", learning_rate=1e-12))
    assert frozen["train_data_loss"] == pytest.approx(frozen["train_eval_loss"], rel=1e-4)
    _, trained = train(tuned(weights, "train", learning_rate=1e-12))
    assert trained["train_data_loss"] != pytest.approx(frozen["train_data_loss"], rel=0.1)


def test_batch_norm_of_the_new_head_is_trained() -> None:
    model = nn.Sequential()
    model.add_module("body", nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    model.add_module("head", nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    set_modes(model, freeze(model, None, keeps_statistics=True))
    modes = {name: module.training for name, module in model.named_modules()}
    assert [name for name, is_on in modes.items() if not is_on] == ["body.1"]
    assert all(parameter.requires_grad for parameter in model.parameters())
