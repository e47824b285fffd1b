"""A method that is added to a slot trains without changes to other files."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import pytest
import torch
from pydantic import Field
from torch import Tensor, nn

from tests.worker.experiments import experiment
from worker.architectures.layers import ImageShape
from worker.augmentations.augmentation import Augmentation
from worker.catalog import generate
from worker.initializers.draw import Draw
from worker.registry import (
    SLOTS,
    architectures,
    augmentations,
    initializers,
    losses,
    optimizers,
    regularizers,
    schedules,
)
from worker.regularizers.regularizer import Penalty, Regularizer
from worker.schedules.schedule import Schedule
from worker.training.experiment import Best, Plateau
from worker.training.fit import fit
from worker.training.reports import EpochEnded, Stepped


@pytest.fixture(autouse=True)
def _registries_are_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry in SLOTS.values():
        monkeypatch.setattr(registry, "_entries", registry.entries())


def _epochs(**fields: Any) -> Iterator[EpochEnded]:
    return (r for r in fit(experiment(**fields)) if isinstance(r, EpochEnded))


def test_architecture() -> None:
    @architectures.register(
        source="a test",
        image_size={"minimum": 1, "default": 8},
        parameter_count_at={"channels": 3, "image_size": 8, "classes": 6},
        reference=None,
        has_batch_norm=False,
        activation_parameter=None,
    )
    def averages(
        image_shape: ImageShape, classes: int, /, *, width: Annotated[int, Field(ge=1)] = 4
    ) -> nn.Module:
        """A linear layer on the mean of each channel.

        Args:
            image_shape: channels, height, width.
            classes: the number of classes.
            width: height and width that the means are pooled to.
        """
        head = nn.Sequential(nn.Linear(image_shape[0] * width**2, classes))
        model = nn.Sequential(nn.AdaptiveAvgPool2d(width), nn.Flatten())
        model.add_module("head", head)
        return model

    training = experiment(architecture={"name": "averages", "width": 2})
    assert [p.shape for p in training.model.parameters()] == [(6, 12), (6,)]
    assert all(isinstance(r.metrics["val_loss"], float) for r in _epochs(architecture="averages"))
    entry = generate()["architectures"]["averages"]
    assert entry["parameter_count"]["trainable"] == 6 * (3 * 16 + 1)


def test_initializer() -> None:
    @initializers.register(source="a test")
    def fan_in_constant(weight: Tensor, draw: Draw, /, *, scale: float = 1.0) -> None:
        """Fill every weight with scale/fan_in."""
        weight.fill_(scale / draw.fan_in)

    model = experiment(initializer={"name": "fan_in_constant", "scale": 2.0}).model
    assert set(model.get_parameter("head.output.weight").flatten().tolist()) == {2 / 128}


def test_augmentation_is_applied_in_its_order() -> None:
    @augmentations.register(source="a test", order=65)
    def inversion(*, level: Annotated[float, Field(ge=0, le=255)] = 255.0) -> Augmentation:
        """Subtract the pixels from a level."""
        return Augmentation(on_pixels=lambda pixels_NCHW: level - pixels_NCHW)

    fields: Any = {"brightness": {"factors": [2.0, 2.0]}, "inversion": {"level": 100.0}}
    augment = experiment(augmentation=fields).augment
    assert augment is not None
    assert set(augment(torch.full((2, 3, 4, 4), 90.0)).flatten().tolist()) == {20.0}
    assert generate()["augmentations"]["inversion"]["order"] == 65


def test_augmentation_without_an_order_is_applied_last() -> None:
    @augmentations.register(source="a test")
    def aaa_halving() -> Augmentation:
        """Halve all pixels."""
        return Augmentation(on_pixels=lambda pixels_NCHW: pixels_NCHW / 2)

    fields: Any = {"aaa_halving": {}, "brightness": {"factors": [10.0, 10.0]}}
    augment = experiment(augmentation=fields).augment
    assert augment is not None
    assert set(augment(torch.full((2, 3, 4, 4), 90.0)).flatten().tolist()) == {127.5}


def test_regularizer_with_a_penalty() -> None:
    @regularizers.register(source="a test")
    def l4(*, weight: Annotated[float, Field(ge=0)] = 0.5) -> Regularizer:
        """Add weight·ΣW⁴ to the loss."""

        def value(weights: list[Tensor]) -> Tensor:
            return weight * torch.stack([tensor.pow(4).sum() for tensor in weights]).sum()

        def add_gradient(weights: list[Tensor], gradients: list[Tensor]) -> None:
            for tensor, gradient in zip(weights, gradients, strict=True):
                gradient.add_(tensor.pow(3), alpha=4 * weight)

        return Regularizer(penalty=Penalty(value=value, add_gradient=add_gradient))

    penalties = [r.metrics["train_penalty"] for r in _epochs(regularizers={"l4": {}})]
    assert penalties[0] > penalties[-1] > 0


def test_regularizer_that_mixes_targets_is_known_by_its_fact() -> None:
    @regularizers.register(
        source="a test", needs_classes=True, makes_probabilities=True, mixes_targets=True
    )
    def average_with_next() -> Regularizer:
        """Average each sample with the next sample of the batch."""

        def on_batch(images: Tensor, labels_N: Tensor, classes: int) -> tuple[Tensor, Tensor]:
            targets_NM = torch.nn.functional.one_hot(labels_N, classes).float()
            return (images + images.roll(1, 0)) / 2, (targets_NM + targets_NM.roll(1, 0)) / 2

        return Regularizer(on_batch=on_batch)

    fields: Any = {"regularizers": {"average_with_next": {}}}
    assert experiment(**fields).is_mixed
    assert all("train_mixed_accuracy" in report.metrics for report in _epochs(**fields))


def test_loss() -> None:
    @losses.register(source="a test")
    def scaled_margin(logits_NM: Tensor, labels_N: Tensor, /, *, margin: float = 1.0) -> Tensor:
        """Multi-class margin loss."""
        return nn.functional.multi_margin_loss(logits_NM, labels_N, margin=margin)

    loss: Any = {"name": "scaled_margin", "margin": 2.0}
    values = [report.metrics["train_data_loss"] for report in _epochs(loss=loss)]
    assert values[0] > values[-1]


def test_optimizer() -> None:
    @optimizers.register(source="a test")
    def sign_descent(
        parameters: Iterable[nn.Parameter], learning_rate: float, /, *, beta: float = 0.9
    ) -> torch.optim.Optimizer:
        """Step by the sign of the gradient."""
        return torch.optim.Rprop(parameters, lr=learning_rate, etas=(beta / 2, 1 + beta))

    optimizer: Any = {"name": "sign_descent", "learning_rate": 0.001}
    values = [report.metrics["train_loss"] for report in _epochs(optimizer=optimizer)]
    assert values[0] > values[-1]


def _learning_rates(schedule: dict[str, Any]) -> list[float]:
    optimizer = {"name": "sgd", "learning_rate": 0.1, "schedule": schedule}
    training = experiment(optimizer=optimizer, training={"batch_size": 16})
    return [
        report.snapshot().schedule["learning_rate"]
        for report in fit(training)
        if isinstance(report, Stepped)
    ]


def test_schedule() -> None:
    @schedules.register(source="a test")
    def linear_decay(*, final: Annotated[float, Field(ge=0, le=1)] = 0.0) -> Schedule:
        """A straight line from lr₀ to final·lr₀."""
        return Schedule(lambda progress: 1 - (1 - final) * progress.fraction)

    rates = _learning_rates({"name": "linear_decay", "final": 0.4})
    assert rates == pytest.approx([0.1, 0.09, 0.08, 0.07, 0.06, 0.05])


def test_schedule_that_follows_a_metric() -> None:
    @schedules.register(source="a test")
    def halve_without_penalty(*, monitor: str = "train_penalty") -> Schedule:
        """Halve the learning rate after each epoch without improvement."""
        return Schedule(plateau=Plateau(Best(monitor, "min"), factor=0.5, patience=1))

    rates = _learning_rates({"name": "halve_without_penalty"})
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.05, 0.05])
