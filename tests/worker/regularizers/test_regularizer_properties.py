"""Properties of every registered regularizer."""

import pytest
import torch
from torch import Tensor

from tests.worker.experiments import data, experiment, vgg
from worker.registry import regularizers
from worker.training.fit import fit
from worker.training.reports import EpochEnded


def _step(name: str, seed: int) -> tuple[dict[str, float], dict[str, Tensor], dict[str, Tensor]]:
    """Metrics, gradients and weights after a step with the defaults of the regularizer."""
    training = experiment(
        architecture=vgg(),
        bundle=data(train=8),
        regularizers={name: {}},
        seed=seed,
        training={"epochs": 1},
    )
    (ended,) = [report for report in fit(training) if isinstance(report, EpochEnded)]
    timed = ("seconds", "images_per_second")
    metrics = {key: value for key, value in ended.metrics.items() if key not in timed}
    named = dict(training.model.named_parameters())
    gradients = {key: p.grad for key, p in named.items() if p.grad is not None}
    assert gradients.keys() == named.keys()
    return metrics, gradients, training.model.state_dict()


@pytest.mark.parametrize("name", list(regularizers.entries()))
def test_overrides_are_the_parameters_of_the_fact_sets(name: str) -> None:
    entry = regularizers.get(name)
    assert set(entry.function().overrides) == set(entry.facts.get("sets", []))


@pytest.mark.parametrize("name", list(regularizers.entries()))
class TestEveryRegularizer:
    def test_same_seed_gives_the_same_bits(self, name: str) -> None:
        first, second = _step(name, 5), _step(name, 5)
        assert first[0] == second[0]
        for key, tensor in first[2].items():
            assert torch.equal(tensor, second[2][key]), key

    def test_metrics_and_gradients_of_a_step_are_finite(self, name: str) -> None:
        metrics, gradients, state = _step(name, 6)
        for key, value in metrics.items():
            assert torch.tensor(value).isfinite(), key
        assert metrics["gradient_norm"] > 0
        for key, tensor in {**state, **gradients}.items():
            assert tensor.isfinite().all(), key
