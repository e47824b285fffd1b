"""Mixup of a batch, and the metrics of a job that uses it."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.worker.experiments import experiment, vgg
from worker.regularizers.label_smoothing import smooth
from worker.regularizers.mixup import mix, mixup, symmetric_beta
from worker.training.fit import fit
from worker.training.reports import EpochEnded

CPU = torch.device("cpu")
CLASSES = 5


def _batch(samples: int) -> tuple[Tensor, Tensor]:
    """Images whose pixels are all the index of the image, and labels."""
    images = torch.arange(samples, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 3, 4, 4)
    return images, torch.arange(samples) % CLASSES


def _mixed(samples: int, **parameters: Any) -> tuple[Tensor, Tensor]:
    on_batch = mixup(**parameters).on_batch
    assert on_batch is not None
    torch.manual_seed(0)
    return on_batch(*_batch(samples), CLASSES)


def test_mix_weights_values_and_partners_by_the_shares() -> None:
    values = torch.tensor([[1.0, 0.0], [0.0, 1.0], [4.0, 2.0]])
    mixed = mix(values, torch.tensor([1, 2, 2]), torch.tensor([0.25, 0.5, 0.1]))
    assert torch.allclose(mixed, torch.tensor([[0.25, 0.75], [2.0, 1.5], [4.0, 2.0]]))


def test_images_and_targets_are_mixed_with_the_same_partner_and_share() -> None:
    torch.manual_seed(3)
    images, labels = torch.randn(CLASSES, 3, 4, 4), torch.arange(CLASSES)
    on_batch = mixup(alpha=1.0).on_batch
    assert on_batch is not None
    mixed, targets = on_batch(images, labels, CLASSES)
    assert torch.allclose(mixed, torch.einsum("nm,mchw->nchw", targets, images), atol=1e-6)
    assert not torch.allclose(mixed, images)


@pytest.mark.parametrize("per", ["pair", "batch"])
def test_targets_are_probabilities(per: str) -> None:
    _, targets = _mixed(64, per=per, alpha=0.5)
    assert targets.shape == (64, CLASSES)
    assert targets.min() >= 0
    assert torch.allclose(targets.sum(1), torch.ones(64))
    assert ((targets > 0).sum(1) <= 2).all()


@pytest.mark.parametrize(("per", "is_single"), [("pair", False), ("batch", True)])
def test_share_is_drawn_per_pair_or_per_batch(per: str, is_single: bool) -> None:
    _, targets = _mixed(256, per=per, alpha=1.0)
    larger = targets.max(1).values
    shares = {
        round(share, 5) for share in larger.tolist() if share < 0.9999
    }  # pairs of different labels
    assert (len(shares) == 1) == is_single


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_follow_the_beta_distribution(alpha: float) -> None:
    torch.manual_seed(1)
    shares = symmetric_beta(alpha, 100_000, CPU)
    expected = torch.distributions.Beta(alpha, alpha)
    assert shares.mean().item() == pytest.approx(0.5, abs=0.005)
    assert shares.var().item() == pytest.approx(expected.variance.item(), rel=0.02)
    fourth = (shares - 0.5).pow(4).mean().item()
    kurtosis = 3 - 6 / (2 * alpha + 3)
    assert fourth == pytest.approx(kurtosis * expected.variance.item() ** 2, rel=0.04)


@pytest.mark.parametrize("alpha", [1e-5, 5e-324])
def test_tiny_alpha_hardly_mixes(alpha: float) -> None:
    torch.manual_seed(1)
    shares = symmetric_beta(alpha, 10_000, CPU)
    assert shares.isfinite().all()
    assert ((shares < 1e-6) | (shares > 1 - 1e-6)).float().mean() > 0.99
    assert shares.mean().item() == pytest.approx(0.5, abs=0.03)


def test_mixup_and_label_smoothing_commute() -> None:
    smoothing = partial(smooth, classes=CLASSES, alpha=0.3)
    on_batch = mixup(alpha=1.0).on_batch
    assert on_batch is not None
    images, labels = _batch(32)
    ends = []
    for targets, finish in ((labels, smoothing), (smoothing(labels), lambda mixed: mixed)):
        torch.manual_seed(2)
        mixed, probabilities = on_batch(images, targets, CLASSES)
        ends.append((mixed, finish(probabilities)))
    assert torch.equal(ends[0][0], ends[1][0])
    assert torch.allclose(ends[0][1], ends[1][1], atol=1e-6)


def test_images_keep_their_memory_layout() -> None:
    images = torch.randn(4, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    on_batch = mixup().on_batch
    assert on_batch is not None
    mixed, _ = on_batch(images, torch.arange(4), CLASSES)
    assert mixed.is_contiguous(memory_format=torch.channels_last)


def _last(**fields: Any) -> dict[str, float]:
    ended = [r for r in fit(experiment(**fields)) if isinstance(r, EpochEnded)]
    return dict(ended[-1].metrics)


def test_training_accuracy_is_named_mixed_accuracy() -> None:
    metrics = _last(architecture=vgg(), regularizers={"mixup": {}})
    assert {"train_mixed_accuracy", "train_mixed_top_5_accuracy"} < set(metrics)
    assert not {"train_accuracy", "train_top_5_accuracy"} & set(metrics)
    assert "val_accuracy" in metrics


def test_class_with_the_largest_share_counts_as_correct() -> None:
    """With almost no mixing each sample is an original, so the metric is the accuracy."""
    fields = {"optimizer": {"name": "sgd", "learning_rate": 1e-30}, "training": {"batch_size": 32}}
    mixed = _last(regularizers={"mixup": {"alpha": 1e-6, "per": "batch"}}, **fields)
    plain = _last(**fields)
    assert mixed["train_mixed_accuracy"] == plain["train_accuracy"]


def test_validation_and_generalization_gap_are_not_mixed() -> None:
    fields = {"optimizer": {"name": "sgd", "learning_rate": 1e-30}}
    mixed, plain = _last(regularizers={"mixup": {"alpha": 1.0}}, **fields), _last(**fields)
    assert mixed["train_data_loss"] != pytest.approx(plain["train_data_loss"], rel=1e-3)
    assert mixed["val_data_loss"] == plain["val_data_loss"]
    assert mixed["generalization_gap"] == plain["generalization_gap"]


def test_train_accuracy_cannot_be_monitored() -> None:
    checkpoints = [{"monitor": "train_accuracy", "mode": "max"}]
    with pytest.raises(ValueError, match="no metric 'train_accuracy'"):
        experiment(regularizers={"mixup": {}}, checkpoints=checkpoints)
