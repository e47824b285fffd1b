"""Estimates of the loss with known answers."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from tests.worker.analyses.subjects import analyse, network, subject, trained
from worker.analyses.intervals import (
    bootstrap_difference,
    hoeffding_half_width,
    hoeffding_interval,
    normal_interval,
)
from worker.analyses.partial_results import PartialResults
from worker.analyses.predictions import losses_of_samples
from worker.registry import losses
from worker.training.evaluation import score


def _estimate(**fields: Any) -> dict[str, Any]:
    return analyse("loss_estimate", subject(trained(), **fields)).result


def test_guessing_has_the_loss_ln_10_on_every_sample_and_no_gap() -> None:
    training = network(initializer="zeros")
    result = analyse("loss_estimate", subject(training)).result
    for part in ("empirical", "general"):
        assert result[part]["loss"] == pytest.approx(math.log(10), rel=1e-6)
        assert result[part]["interval"] == pytest.approx([math.log(10)] * 2, rel=1e-6)
    assert result["gap"]["interval"] == pytest.approx([0, 0], abs=1e-7)


def test_the_losses_are_those_of_the_evaluation() -> None:
    training, result = trained(), _estimate()
    for part, split in (("empirical", "train"), ("general", "validation")):
        batches = training.on_device(getattr(training.splits, split))
        exact = score(training, batches, has_metrics=True)
        assert result[part]["loss"] == pytest.approx(exact.data_loss, rel=1e-6)
        assert 1 - result[part]["error"] == pytest.approx(exact.metrics["accuracy"])


@pytest.mark.parametrize("name", sorted(losses.entries()))
def test_the_mean_of_the_losses_of_samples_is_the_loss(name: str) -> None:
    entry = losses.get(name)
    loss = losses.bind(name, entry.defaults)
    if entry.facts.get("target") == "number":
        outputs, targets = torch.randn(7, 1), torch.randn(7)
    else:
        outputs, targets = torch.randn(7, 2), torch.tensor([0, 1, 1, 0, 1, 0, 0])
    own = losses_of_samples(loss, outputs, targets)
    assert own.shape == (7,)
    assert own.mean().item() == pytest.approx(loss(outputs, targets).item(), rel=1e-6)


def test_hoeffding_gives_0_030_for_2000_samples() -> None:
    assert hoeffding_half_width(2000, 0.95) == pytest.approx(0.0304, abs=5e-5)
    assert hoeffding_interval(0.01, 2000, 0.95)[0] == 0


def test_intervals_of_many_samples_contain_the_true_mean_as_often_as_they_say() -> None:
    generator = torch.Generator().manual_seed(1)
    hits = {"normal": 0, "hoeffding": 0}
    for _ in range(500):
        values = (torch.rand(400, generator=generator) < 0.3).double()
        low, high = normal_interval(values, 0.9)
        hits["normal"] += low <= 0.3 <= high
        low, high = hoeffding_interval(values.mean().item(), 400, 0.9)
        hits["hoeffding"] += low <= 0.3 <= high
    assert hits["normal"] / 500 == pytest.approx(0.9, abs=0.04)
    assert hits["hoeffding"] / 500 > 0.97, "it holds for every distribution, so it is wide"


def test_the_bootstrap_agrees_with_the_normal_distribution_for_many_samples() -> None:
    generator = torch.Generator().manual_seed(2)
    first = torch.randn(3000, generator=generator, dtype=torch.float64)
    second = 2 * torch.randn(2000, generator=generator, dtype=torch.float64) + 1
    interval, differences = bootstrap_difference(
        first,
        second,
        confidence=0.95,
        resamples=2000,
        generator=generator,
        on_resample=lambda _: None,
        partial=PartialResults(),
    )
    center = (second.mean() - first.mean()).item()
    half = 1.96 * math.sqrt(first.var().item() / 3000 + second.var().item() / 2000)
    assert len(differences) == 2000
    assert interval == pytest.approx([center - half, center + half], abs=0.1 * half)


def test_the_test_split_is_only_what_was_recorded() -> None:
    recorded = {"data_loss": 0.25, "loss": 0.5, "accuracy": 0.9}
    result = _estimate(test=recorded)
    assert (result["test"]["loss"], result["test"]["samples"]) == (0.25, 100)
    assert result["test"]["error"] == pytest.approx(0.1)
    assert _estimate()["test"] is None
    assert _estimate(test={"data_loss": "nan", "accuracy": 0.1})["test"]["loss"] == "nan"


def test_a_checkpoint_chosen_on_validation_is_called_optimistic() -> None:
    outcome = analyse("loss_estimate", subject(trained(), monitor="val_loss"))
    assert outcome.result["is_optimistic"]
    assert any("too good" in sentence for sentence in outcome.summary)
    assert not _estimate()["is_optimistic"]


def test_the_estimate_settles_like_one_over_the_root_of_n() -> None:
    arrays = analyse("loss_estimate", subject(trained(train=1200))).arrays
    sizes, halves = arrays["subset_sizes"].double(), arrays["subset_half_widths"]
    scaled = halves * sizes.sqrt()
    assert scaled[-5:].max() / scaled[-5:].min() < 2


def test_a_regression_has_no_error_rate() -> None:
    training = trained()
    number = replace(
        training,
        model=nn.Sequential(nn.Flatten(), nn.Linear(64, 1)),
        class_names=(),
        loss=losses.bind("l2", {}),
        checkpoints=type(training.checkpoints)(),
    )
    result = analyse("loss_estimate", subject(number)).result
    assert "error" not in result["general"]
    assert result["general"]["interval"][0] < result["general"]["loss"]


def test_the_picture_is_drawn() -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415

    (picture,) = analyse("loss_estimate", subject(trained())).pictures
    drawing = Figure(layout="constrained")
    picture.draw(drawing)
    assert len(drawing.axes) == 1
