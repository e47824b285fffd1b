"""Every loss against torch's own or its formula written out. Axes: N samples, M classes."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from worker.registry import losses

SAMPLES, CLASSES = 12, 5


def _loss(name: str, **given: float):  # noqa: ANN202
    entry = losses.get(name)
    filled = entry.check({**entry.defaults, **given})
    return lambda outputs, targets: entry.function(outputs, targets, **filled)


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(
        SAMPLES, CLASSES, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    ).requires_grad_()


@pytest.fixture
def labels() -> Tensor:
    return torch.arange(SAMPLES) % CLASSES


@pytest.fixture
def numbers() -> Tensor:
    return torch.linspace(-2, 2, SAMPLES, dtype=torch.float64)


def _same(ours: Tensor, theirs: Tensor, of: Tensor) -> None:
    """Equal values and equal gradients."""
    assert torch.allclose(ours, theirs)
    (mine,) = torch.autograd.grad(ours, of, retain_graph=True)
    (reference,) = torch.autograd.grad(theirs, of)
    assert torch.allclose(mine, reference)


class TestHinge:
    def test_is_pytorch_s_without_its_division_by_the_classes(
        self, logits: Tensor, labels: Tensor
    ) -> None:
        reference = functional.multi_margin_loss(logits, labels) * CLASSES
        _same(_loss("hinge")(logits, labels), reference, logits)

    def test_is_the_count_of_other_classes_where_all_scores_are_the_same(self) -> None:
        assert _loss("hinge")(torch.zeros(3, 7), torch.tensor([0, 3, 6])).item() == 6

    def test_is_0_beyond_the_margin(self) -> None:
        assert _loss("hinge")(torch.tensor([[3.0, 2.0, 1.5]]), torch.tensor([0])).item() == 0

    def test_a_score_that_is_no_number_makes_it_none(self) -> None:
        scores = torch.tensor([[1.0, math.nan, 0.0]])
        assert _loss("hinge")(scores, torch.tensor([0])).isnan()


class TestLogistic:
    def test_is_the_formula_with_labels_of_plus_and_minus_one(self, logits: Tensor) -> None:
        labels = torch.arange(SAMPLES) % 2
        pair = logits[:, :2]
        score, sign = pair[:, 1] - pair[:, 0], 2 * labels - 1
        reference = torch.log1p(torch.exp(-sign * score)).mean()
        _same(_loss("logistic")(pair, labels), reference, logits)

    def test_a_large_score_is_not_infinite(self) -> None:
        pair = torch.tensor([[0.0, 1000.0]])
        assert _loss("logistic")(pair, torch.tensor([0])).item() == 1000
        assert _loss("logistic")(pair, torch.tensor([1])).item() == 0


class TestCrossEntropy:
    def test_is_minus_the_log_of_the_label_s_probability(
        self, logits: Tensor, labels: Tensor
    ) -> None:
        reference = -logits.softmax(1)[torch.arange(SAMPLES), labels].log().mean()
        _same(_loss("cross_entropy")(logits, labels), reference, logits)


class TestNumbers:
    def test_l1_is_pytorch_s(self, logits: Tensor, numbers: Tensor) -> None:
        outputs = logits[:, :1]
        reference = functional.l1_loss(outputs[:, 0], numbers)
        _same(_loss("l1")(outputs, numbers), reference, logits)

    def test_l2_has_no_half(self, logits: Tensor, numbers: Tensor) -> None:
        outputs = logits[:, :1]
        reference = functional.mse_loss(outputs[:, 0], numbers)
        _same(_loss("l2")(outputs, numbers), reference, logits)
        assert _loss("l2")(torch.tensor([[3.0]]), torch.tensor([1.0])).item() == 4

    def test_errors_within_epsilon_cost_nothing(self) -> None:
        outputs = torch.tensor([[0.5], [1.0], [-2.0]], requires_grad=True)
        loss = _loss("epsilon_insensitive", epsilon=0.75)(outputs, torch.zeros(3))
        assert loss.item() == pytest.approx((0 + 0.25 + 1.25) / 3)
        (gradient,) = torch.autograd.grad(loss, outputs)
        assert gradient[:, 0].tolist() == pytest.approx([0, 1 / 3, -1 / 3])

    def test_without_epsilon_it_is_l1(self, logits: Tensor, numbers: Tensor) -> None:
        outputs = logits[:, :1]
        ours = _loss("epsilon_insensitive", epsilon=0.0)(outputs, numbers)
        _same(ours, _loss("l1")(outputs, numbers), logits)
