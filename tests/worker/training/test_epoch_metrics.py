"""The metrics that an epoch reports."""

import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from tests.worker.experiments import data, ended_epochs, experiment, vgg
from worker.training.device_split import DeviceSplit
from worker.training.evaluation import score
from worker.training.trainer import gap_sample


def test_epoch_reports_the_documented_metrics() -> None:
    ended = ended_epochs(experiment(optimizer={"name": "sgd", "gradient_clipping": {"norm": 1}}))
    assert set(ended[0].metrics) == {
        *("train_loss", "train_data_loss", "train_penalty", "train_eval_loss"),
        *("train_accuracy", "train_top_5_accuracy", "val_loss", "val_data_loss"),
        *("val_accuracy", "val_top_5_accuracy", "generalization_gap", "learning_rate"),
        *("gradient_norm", "clipped_fraction", "images_per_second", "seconds"),
    }


def test_k_above_the_class_count_is_left_out() -> None:
    metrics = ended_epochs(experiment(metrics={"top_k": [1, 3, 7]}))[0].metrics
    assert {name for name in metrics if "top_" in name} == {
        "train_top_3_accuracy",
        "val_top_3_accuracy",
    }


def test_training_metrics_are_means_over_the_images_of_the_epoch() -> None:
    """With a tiny learning rate the weights stay the same: compare with a single pass."""
    training = experiment(
        architecture="linear",
        bundle=data(train=21),
        optimizer={"name": "sgd", "learning_rate": 1e-30},
        training={"epochs": 1},
    )
    metrics = ended_epochs(training)[0].metrics
    train = training.splits.train
    on_device = DeviceSplit(train.images, train.labels, training.normalization, training.device)
    images_NCHW, labels_N = on_device.batch(slice(0, 21))
    with torch.no_grad():
        logits_NM = training.model(images_NCHW)
    expected = functional.cross_entropy(logits_NM, labels_N).item()
    assert metrics["train_data_loss"] == pytest.approx(expected, rel=1e-5)
    assert metrics["train_accuracy"] == pytest.approx(
        (logits_NM.argmax(1) == labels_N).float().mean().item()
    )


def test_generalization_gap_is_measured_in_evaluation_mode() -> None:
    """With as many validation samples, the sample is the whole training split."""
    training = experiment(architecture=vgg(), bundle=data(train=18), training={"epochs": 1})
    metrics = ended_epochs(training)[0].metrics
    train = training.splits.train
    on_device = DeviceSplit(train.images, train.labels, training.normalization, training.device)
    plain = score(training, on_device).data_loss
    assert metrics["train_eval_loss"] == pytest.approx(plain, abs=1e-6)
    assert metrics["generalization_gap"] == pytest.approx(
        metrics["val_data_loss"] - plain, abs=1e-6
    )
    assert metrics["train_data_loss"] != pytest.approx(plain, rel=1e-3)


def test_sample_of_the_training_split_is_fixed_and_as_large_as_the_validation_split() -> None:
    """Weights that hardly change have the same loss in every epoch, with any regularizer."""
    fields: dict[str, Any] = {"optimizer": {"name": "sgd", "learning_rate": 1e-30}}
    plain = ended_epochs(experiment(**fields))
    fields["regularizers"] = {"mixup": {}, "label_smoothing": {}, "l2": {}}
    regularized = ended_epochs(experiment(**fields, augmentation={"rotation": {"degrees": 30}}))
    losses = [ended.metrics["train_eval_loss"] for ended in [*plain, *regularized]]
    assert losses == [losses[0]] * 6
    for ended in [*plain, *regularized]:
        gap = ended.metrics["val_data_loss"] - ended.metrics["train_eval_loss"]
        assert ended.metrics["generalization_gap"] == gap
    training = experiment(**fields)
    train = training.splits.train
    on_device = DeviceSplit(train.images, train.labels, training.normalization, training.device)
    sample_N = gap_sample(32, 18, training.seed)
    assert len(sample_N) == 18
    expected = score(training, on_device, samples_N=sample_N).data_loss
    assert losses[0] == pytest.approx(expected, abs=1e-6)


def test_equal_scores_give_the_accuracy_of_one_class() -> None:
    """The gradients of a hidden layer of zeros are zero, so the scores stay equal."""
    training = experiment(
        initializer="zeros", bundle=data(train=36), training={"epochs": 1, "batch_size": 36}
    )
    metrics = ended_epochs(training)[0].metrics
    assert metrics["train_data_loss"] == pytest.approx(math.log(6), rel=1e-6)
    assert metrics["train_accuracy"] == pytest.approx(1 / 6)
    assert metrics["train_top_5_accuracy"] == 1


def test_learning_rate_is_that_of_the_last_step() -> None:
    optimizer = {
        "name": "sgd",
        "learning_rate": 0.1,
        "schedule": {"name": "inverse_time", "decay": 0.5},
    }
    rates = [
        ended.metrics["learning_rate"] for ended in ended_epochs(experiment(optimizer=optimizer))
    ]
    assert rates == pytest.approx([0.1 / (1 + 0.5 * t) for t in (3, 7, 11)])
