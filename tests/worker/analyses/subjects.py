"""Trained and untrained networks to analyse, on real scans of digits."""

from functools import cache
from typing import Any

import torch
from sklearn.datasets import load_digits

from tests.worker.experiments import spec
from worker.analyses.subject import Subject
from worker.build import build
from worker.data.job_data import Data
from worker.registry import analyses
from worker.training.experiment import Experiment, Split, Splits
from worker.training.fit import fit

SGD = {"name": "sgd", "momentum": 0.9, "nesterov": False}


def digits(train: int = 256) -> Data:
    """Return scans of digits, 8×8: so many for training, and 100 in each other split."""
    loaded: Any = load_digits()
    images = torch.from_numpy(loaded.images * 15).to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(loaded.target)

    def part(first: int, last: int) -> Split:
        return Split(images[first:last], labels[first:last], torch.arange(first, last))

    splits = Splits(part(200, 200 + train), part(0, 100), part(100, 200))
    return Data(tuple("0123456789"), splits)


def network(*, train: int = 256, **fields: Any) -> Experiment:
    """Return an untrained network, by default with 8 hidden tanh units and 610 parameters."""
    architecture = {"name": "mlp", "hidden_units": [8], "activation": "tanh"}
    return build(spec(**{"architecture": architecture, **fields}), digits(train))


def subject(experiment: Experiment, **fields: Any) -> Subject:
    return Subject(experiment, experiment.stages[-1], SGD, **fields)


@cache
def trained(*, train: int = 256, epochs: int = 20) -> Experiment:
    """Return a trained network; tests must not change it."""
    experiment = network(train=train, training={"epochs": epochs})
    for _ in fit(experiment):
        pass
    return experiment


def analyse(kind: str, analysed: Subject, **parameters: Any) -> Any:
    """Run an analysis with defaults for what is not given."""
    entry = analyses.get(kind)
    return analyses.bind(kind, {**entry.defaults, **parameters})(analysed)
