"""Losses equal the losses of torch or their formulas. Axes: N samples, M classes."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from worker.registry import losses

SAMPLES, CLASSES = 12, 5


def _loss(name: str, **changes: float):  # noqa: ANN202
    entry = losses.get(name)
    parameters = entry.check({**entry.defaults, **changes})
    return lambda outputs, targets: entry.function(outputs, targets, **parameters)


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(
        SAMPLES, CLASSES, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    ).requires_grad_()


@pytest.fixture
def labels() -> Tensor:
    return torch.arange(SAMPLES) % CLASSES


@pytest.fixture
def targets() -> Tensor:
    return torch.linspace(-2, 2, SAMPLES, dtype=torch.float64)


def _same(ours: Tensor, theirs: Tensor, of: Tensor) -> None:
    """Equal values and equal gradients."""
    assert torch.allclose(ours, theirs)
    (mine,) = torch.autograd.grad(ours, of, retain_graph=True)
    (reference,) = torch.autograd.grad(theirs, of)
    assert torch.allclose(mine, reference)


class TestHinge:
    def test_equals_the_pytorch_loss_times_the_number_of_classes(
        self, logits: Tensor, labels: Tensor
    ) -> None:
        reference = functional.multi_margin_loss(logits, labels) * CLASSES
        _same(_loss("hinge")(logits, labels), reference, logits)

    def test_equal_scores_give_the_number_of_other_classes(self) -> None:
        assert _loss("hinge")(torch.zeros(3, 7), torch.tensor([0, 3, 6])).item() == 6

    def test_is_0_beyond_the_margin(self) -> None:
        assert _loss("hinge")(torch.tensor([[3.0, 2.0, 1.5]]), torch.tensor([0])).item() == 0

    def test_nan_in_a_score_gives_nan(self) -> None:
        scores = torch.tensor([[1.0, math.nan, 0.0]])
        assert _loss("hinge")(scores, torch.tensor([0])).isnan()


class TestLogistic:
    def test_follows_the_formula_with_labels_of_plus_and_minus_1(self, logits: Tensor) -> None:
        labels = torch.arange(SAMPLES) % 2
        pair = logits[:, :2]
        score, sign = pair[:, 1] - pair[:, 0], 2 * labels - 1
        reference = torch.log1p(torch.exp(-sign * score)).mean()
        _same(_loss("logistic")(pair, labels), reference, logits)

    def test_large_score_does_not_overflow(self) -> None:
        pair = torch.tensor([[0.0, 1000.0]])
        assert _loss("logistic")(pair, torch.tensor([0])).item() == 1000
        assert _loss("logistic")(pair, torch.tensor([1])).item() == 0


class TestCrossEntropy:
    def test_is_minus_the_log_probability_of_the_label(
        self, logits: Tensor, labels: Tensor
    ) -> None:
        reference = -logits.softmax(1)[torch.arange(SAMPLES), labels].log().mean()
        _same(_loss("cross_entropy")(logits, labels), reference, logits)


class TestRegression:
    def test_l1_equals_the_pytorch_loss(self, logits: Tensor, targets: Tensor) -> None:
        outputs = logits[:, :1]
        reference = functional.l1_loss(outputs[:, 0], targets)
        _same(_loss("l1")(outputs, targets), reference, logits)

    def test_l2_is_the_mean_squared_error_without_a_factor_of_one_half(
        self, logits: Tensor, targets: Tensor
    ) -> None:
        outputs = logits[:, :1]
        reference = functional.mse_loss(outputs[:, 0], targets)
        _same(_loss("l2")(outputs, targets), reference, logits)
        assert _loss("l2")(torch.tensor([[3.0]]), torch.tensor([1.0])).item() == 4

    def test_errors_within_epsilon_are_ignored(self) -> None:
        outputs = torch.tensor([[0.5], [1.0], [-2.0]], requires_grad=True)
        loss = _loss("epsilon_insensitive", epsilon=0.75)(outputs, torch.zeros(3))
        assert loss.item() == pytest.approx((0 + 0.25 + 1.25) / 3)
        (gradient,) = torch.autograd.grad(loss, outputs)
        assert gradient[:, 0].tolist() == pytest.approx([0, 1 / 3, -1 / 3])

    def test_epsilon_of_0_gives_l1(self, logits: Tensor, targets: Tensor) -> None:
        outputs = logits[:, :1]
        ours = _loss("epsilon_insensitive", epsilon=0.0)(outputs, targets)
        _same(ours, _loss("l1")(outputs, targets), logits)
