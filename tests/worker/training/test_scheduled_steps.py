"""A schedule within `fit`: it counts the updates of its stage, and each step obeys it."""

from dataclasses import replace
from math import cos, pi

import pytest
import torch

from tests.worker.experiments import experiment
from worker.training.fit import fit
from worker.training.reports import InitialState, Stepped

RATES, BOUND = {"training": 0.1, "second": 0.5}, 1e-2
#: Four steps an epoch: three epochs, then two.
UPDATES = {"training": 12, "second": 8}


def test_cosine_falls_over_the_steps_of_its_stage_and_starts_again_in_the_next() -> None:
    """With clipping, the learning rate alone determines the length of a gradient descent step."""
    training = experiment(
        optimizer={
            "name": "sgd",
            "learning_rate": RATES["training"],
            "momentum": 0.0,
            "schedule": {"name": "cosine", "final": 0.1},
            "gradient_clipping": {"global_norm": BOUND},
        },
        training={"epochs": 3},
    )
    (first,) = training.stages
    second = replace(first, name="second", epochs=2, learning_rate=RATES["second"])
    training = replace(training, stages=(first, second))

    reported: dict[str, list[float]] = {name: [] for name in RATES}
    measured: dict[str, list[float]] = {name: [] for name in RATES}
    before = torch.zeros(0)
    for report in fit(training):
        if isinstance(report, InitialState | Stepped):
            weights = torch.cat([p.detach().flatten() for p in training.model.parameters()])
            if isinstance(report, Stepped):
                reported[report.stage].append(report.snapshot().schedule["learning_rate"])
                measured[report.stage].append((weights - before).norm().item() / BOUND)
            before = weights

    for name, updates in UPDATES.items():
        expected = [
            RATES[name] * (0.1 + 0.9 * (1 + cos(pi * t / updates)) / 2) for t in range(updates)
        ]
        assert reported[name] == pytest.approx(expected)
        assert measured[name] == pytest.approx(expected, rel=1e-2)
