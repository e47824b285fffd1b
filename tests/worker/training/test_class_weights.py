"""Class weights in training. Axes: N samples, M classes."""

import pytest
import torch
from torch import Tensor, nn

from tests.worker.experiments import CLASSES, data, experiment
from worker.data.job_data import Data
from worker.losses.cross_entropy import cross_entropy
from worker.losses.hinge import hinge
from worker.losses.logistic import logistic
from worker.regularizers.label_smoothing import smooth
from worker.training.class_weights import weighted, weights_of
from worker.training.experiment import Split, Splits
from worker.training.fit import fit
from worker.training.reports import EpochEnded

WEIGHTS = {"a": 3.0, "b": 0.5, "c": 1.0, "d": 0.0, "e": 2.0, "f": 1.0}
WEIGHTS_M = torch.tensor([*WEIGHTS.values()])


def _logits(samples: int = 40) -> Tensor:
    return torch.randn(samples, CLASSES, generator=torch.Generator().manual_seed(3))


def _labels(samples: int = 40) -> Tensor:
    return torch.randint(0, CLASSES, (samples,), generator=torch.Generator().manual_seed(4))


def test_cross_entropy_and_its_gradient_equal_torch_s() -> None:
    ours, theirs = _logits().requires_grad_(), _logits().requires_grad_()
    loss = weighted(cross_entropy, WEIGHTS_M)(ours, _labels())
    expected = nn.CrossEntropyLoss(weight=WEIGHTS_M)(theirs, _labels())
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    loss.backward()
    expected.backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-8)


def test_hinge_and_logistic_are_weighted_means_of_their_samples() -> None:
    logits_NM, labels_N = _logits(), _labels()
    weights_N = WEIGHTS_M[labels_N]
    samples_N = torch.stack([hinge(logits_NM[i : i + 1], labels_N[i : i + 1]) for i in range(40)])
    expected = (weights_N * samples_N).sum() / weights_N.sum()
    assert weighted(hinge, WEIGHTS_M)(logits_NM, labels_N).item() == pytest.approx(expected.item())
    two = weighted(logistic, torch.tensor([1.0, 3.0]))(logits_NM[:2, :2], torch.tensor([0, 1]))
    first, second = (logistic(logits_NM[i : i + 1, :2], torch.tensor([i])).item() for i in range(2))
    assert two.item() == pytest.approx((first + 3 * second) / 4)


def test_equal_weights_give_the_plain_loss() -> None:
    equal = weighted(cross_entropy, torch.full((CLASSES,), 7.0))
    plain = cross_entropy(_logits(), _labels()).item()
    assert equal(_logits(), _labels()).item() == pytest.approx(plain, rel=1e-6)


def test_weight_of_a_mixed_target_is_the_mean_of_its_classes() -> None:
    targets_NM = smooth(_labels(), CLASSES, 0.3)
    targets_NM = 0.6 * targets_NM + 0.4 * targets_NM.flip(0)
    weights_N = (targets_NM.double() * WEIGHTS_M.double()).sum(1)
    losses_N = -(targets_NM.double() * _logits().double().log_softmax(1)).sum(1)
    expected = (weights_N * losses_N).sum() / weights_N.sum()
    loss = weighted(cross_entropy, WEIGHTS_M)(_logits(), targets_NM)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_batch_of_weight_0_has_the_loss_0_and_no_gradient() -> None:
    logits_NM = _logits(4).requires_grad_()
    loss = weighted(cross_entropy, WEIGHTS_M)(logits_NM, torch.full((4,), 3))
    loss.backward()
    assert loss.item() == 0
    assert logits_NM.grad is not None
    assert not logits_NM.grad.any()


def test_score_that_is_not_finite_shows_in_the_loss() -> None:
    logits_NM = _logits()
    logits_NM[0, 0] = torch.nan
    assert weighted(cross_entropy, WEIGHTS_M)(logits_NM, _labels()).isnan()


def test_balanced_weights_are_n_by_m_times_count() -> None:
    labels_N = torch.tensor([0] * 6 + [1] * 3 + [2])
    weights_M = weights_of("balanced", ("a", "b", "c"), labels_N)
    assert weights_M is not None
    assert weights_M.tolist() == pytest.approx([10 / 18, 10 / 9, 10 / 3])
    rare = weights_of("balanced", ("a", "b", "c", "d"), labels_N)
    assert rare is not None
    assert rare[3] == 0


def _first_epoch(**fields: object) -> dict[str, float]:
    training = experiment(
        optimizer={"name": "sgd", "learning_rate": 1e-30},
        training={"epochs": 1, "batch_size": 32},
        **fields,  # type: ignore[arg-type]
    )
    return dict(next(r.metrics for r in fit(training) if isinstance(r, EpochEnded)))


def test_weights_act_in_training_only() -> None:
    """With a tiny learning rate the weights of the network stay the same."""
    plain = _first_epoch()
    weights = _first_epoch(loss={"name": "cross_entropy", "class_weights": WEIGHTS})
    assert weights["train_data_loss"] != pytest.approx(plain["train_data_loss"], rel=1e-3)
    for name in ("train_eval_loss", "val_loss", "val_data_loss", "generalization_gap"):
        assert weights[name] == plain[name]


def test_weights_move_the_predictions_towards_a_rare_class() -> None:
    """Noise without a class: the network predicts the frequent class unless it is balanced."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (60, 3, 8, 8), dtype=torch.uint8, generator=generator)
    labels_N = torch.tensor([0] * 54 + [1] * 6)
    rare = Split(images, labels_N, torch.arange(60))
    bundle = Data(("a", "b"), Splits(rare, rare, rare))

    def share_of_b(class_weights: str | None) -> float:
        training = experiment(
            bundle=bundle,
            architecture="linear",
            loss={"name": "cross_entropy", "class_weights": class_weights},
            optimizer={"name": "sgd", "learning_rate": 1e-4},
            regularizers={"l2": {"weight": 10.0}},
            training={"epochs": 20, "batch_size": 60},
        )
        list(fit(training))
        with torch.no_grad():
            return float(training.model(torch.zeros(1, 3, 8, 8)).softmax(1)[0, 1])

    assert share_of_b("balanced") > share_of_b(None)


@pytest.mark.parametrize("regularizers", [{}, {"mixup": {}}, {"label_smoothing": {}}])
def test_training_with_weights_is_reproducible(regularizers: dict[str, object]) -> None:
    loss = {"name": "cross_entropy", "class_weights": "balanced"}
    fields = {"loss": loss, "regularizers": regularizers, "bundle": data(train=33)}
    first, second = (experiment(**fields) for _ in range(2))  # type: ignore[arg-type]
    list(fit(first))
    list(fit(second))
    for name, tensor in first.model.state_dict().items():
        assert torch.equal(tensor, second.model.state_dict()[name])
