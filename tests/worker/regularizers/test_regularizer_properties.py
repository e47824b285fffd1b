"""What holds of every regularizer there is, also of one added today."""

import pytest
import torch
from torch import Tensor

from tests.worker.experiments import data, experiment, vgg
from worker.registry import regularizers
from worker.training.fit import fit
from worker.training.reports import EpochEnded


def _step(name: str, seed: int) -> tuple[dict[str, float], dict[str, Tensor], dict[str, Tensor]]:
    """Figures, gradients and weights of one step with the regularizer's defaults."""
    training = experiment(
        architecture=vgg(),
        bundle=data(train=8),
        regularizers={name: {}},
        seed=seed,
        training={"epochs": 1},
    )
    (ended,) = [report for report in fit(training) if isinstance(report, EpochEnded)]
    timed = ("seconds", "images_per_second")
    figures = {key: value for key, value in ended.metrics.items() if key not in timed}
    named = dict(training.model.named_parameters())
    gradients = {key: p.grad for key, p in named.items() if p.grad is not None}
    assert gradients.keys() == named.keys()
    return figures, gradients, training.model.state_dict()


@pytest.mark.parametrize("name", list(regularizers.entries()))
class TestEveryRegularizer:
    def test_the_same_seed_trains_to_the_same_bits(self, name: str) -> None:
        first, second = _step(name, 5), _step(name, 5)
        assert first[0] == second[0]
        for key, tensor in first[2].items():
            assert torch.equal(tensor, second[2][key]), key

    def test_a_step_with_it_has_finite_figures_and_gradients(self, name: str) -> None:
        figures, gradients, state = _step(name, 6)
        for key, value in figures.items():
            assert torch.tensor(value).isfinite(), key
        assert figures["gradient_norm"] > 0
        for key, tensor in {**state, **gradients}.items():
            assert tensor.isfinite().all(), key
