"""Rules on data find what no specification of a built-in set can show."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks.diagnostics.runs import Run, run_filled
from tests.worker.diagnostics import made_data
from tests.worker.diagnostics.made_data import Change, train
from worker.runner.diagnosis import batches_reading
from worker.training import fit as fit_module
from worker.training.device_split import Normalization
from worker.training.experiment import Experiment


def _first(experiment: Experiment, kind: type[nn.Module]) -> nn.Module:
    return next(module for module in experiment.model.modules() if isinstance(module, kind))


def _evidence(found: Run, rule: str) -> dict[str, Any]:
    (row,) = (row for row in found.findings if row.rule == rule)
    assert row.state == "open"
    return row.data["evidence"]


@pytest.mark.parametrize(
    ("rule", "change", "severity"),
    [
        ("class_imbalance", made_data.rare_class, "warning"),
        ("duplicate_across_splits", made_data.shared_images, "error"),
        ("conflicting_labels", made_data.conflicting, "warning"),
        ("constant_input", made_data.blank, "warning"),
        ("split_drift", made_data.inverted_test, "warning"),
    ],
)
def test_fault_of_the_data_is_found_before_the_first_step(
    rule: str, change: Change, severity: str
) -> None:
    found = train(change, epochs=1)
    assert found.rules("error", "warning")[:1] == [rule]
    (row,) = (row for row in found.findings if row.rule == rule)
    assert (row.severity, row.first_step) == (severity, 0)


def test_digits_as_they_are_have_no_error_and_no_warning() -> None:
    assert train(made_data.unchanged, mode="full").rules("error", "warning") == []


@pytest.mark.parametrize(("samples", "validation"), [(1, 1), (1, 50), (3, 10)])
def test_splits_of_a_few_samples_are_no_other_fault(samples: int, validation: int) -> None:
    dataset = {"name": "digits", "train": samples, "validation": validation}
    spec, experiment = made_data.experiment(
        dataset=dataset, training={"epochs": 5}, diagnostics={"mode": "full"}
    )
    assert run_filled(spec, experiment).rules("error", "warning") == ["too_few_examples"]


def test_labels_that_two_classifiers_dispute_are_listed() -> None:
    found = train(made_data.noisy(0.2), epochs=6)
    assert "label_errors" in found.rules("warning")
    evidence = _evidence(found, "label_errors")
    assert 0.12 < evidence["value"] < 0.28, "a fifth of the labels are wrong"
    assert 20 < len(evidence["issues"]) <= 50
    assert evidence["rank"] > 0.6, "labels at random stand anywhere among the scores"


@pytest.mark.parametrize(
    ("architecture", "train", "epochs", "seed"),
    [("mlp", 200, 30, 3), ("linear", 200, 30, 3), ("linear", None, 6, 3), ("linear", 100, 30, 2)],
)
def test_mistakes_of_small_healthy_trainings_are_no_wrong_labels(
    architecture: str, train: int | None, epochs: int, seed: int
) -> None:
    dataset = {"name": "digits"} if train is None else {"name": "digits", "train": train}
    spec, experiment = made_data.experiment(
        dataset=dataset, architecture=architecture, seed=seed, training={"epochs": epochs}
    )
    assert "label_errors" not in run_filled(spec, experiment).rules()


def test_labels_without_a_relation_to_the_images_are_no_better_than_shuffled_labels() -> None:
    found = train(made_data.unrelated_labels, mode="full", epochs=3)
    assert found.roots[:1] == ["shuffled_label_control"]


def test_network_that_becomes_surer_of_its_mistakes_is_overconfident() -> None:
    found = train(made_data.noisy(0.1, train=False), epochs=14)
    assert "overconfident" in found.rules("info")


def test_samples_in_the_order_of_their_labels_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, experiment = made_data.experiment(training={"epochs": 1})
    labels = experiment.splits.train.labels

    def sorted_order(samples: int, _seed: int, _epoch: int) -> torch.Tensor:
        return labels.argsort(stable=True) if samples == len(labels) else torch.arange(samples)

    monkeypatch.setattr(batches_reading, "sample_order", sorted_order)
    monkeypatch.setattr(fit_module, "sample_order", sorted_order)
    found = run_filled(spec, experiment)
    assert found.roots[:1] == ["single_label_batch"]
    assert _evidence(found, "single_label_batch")["batches"]


def test_layer_that_is_not_part_of_the_forward_pass_is_found() -> None:
    spec, experiment = made_data.experiment(training={"epochs": 1})
    _first(experiment, nn.ReLU).register_module("forgotten", nn.Linear(3, 3))
    found = run_filled(spec, experiment)
    assert found.roots[:1] == ["frozen_or_unused"]
    (row,) = (row for row in found.findings if row.rule == "frozen_or_unused")
    (layer,) = row.data["layers"]
    assert layer.endswith("forgotten.weight")


class _WrongBackward(torch.autograd.Function):
    """The identity, with twice its gradient."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:  # noqa: ARG004 - the base names it
        return values.clone()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> torch.Tensor:  # noqa: ARG004
        return 2 * grad_outputs[0]


def test_layer_with_a_wrong_gradient_is_found() -> None:
    spec, experiment = made_data.experiment(diagnostics="full", training={"epochs": 1})
    first = _first(experiment, nn.ReLU)
    first.forward = lambda values: _WrongBackward.apply(values.relu())  # type: ignore[method-assign]
    assert "gradient_check" in run_filled(spec, experiment).rules("error")


def _fine_tuned(
    normalization: str, *, expected: Normalization | None = None, running_mean: float = 0.0
) -> Run:
    """Train a convolutional network as if its weights were trained on other inputs."""
    spec, experiment = made_data.experiment(
        dataset={"name": "digits", "image_size": 16, "train": 200, "normalization": normalization},
        architecture={"name": "vgg_small", "widths": [4, 4], "hidden_units": [8]},
        training={"epochs": 1},
    )
    spec["fine_tuning"] = {
        "weights": {"upload": "weights_1"},
        "stages": [{"optimizer": spec["optimizer"]}],
    }
    running = _first(experiment, nn.BatchNorm2d).running_mean
    assert isinstance(running, torch.Tensor)
    running.fill_(running_mean)
    return run_filled(spec, replace(experiment, weights_normalization=expected))


EXPECTED = Normalization(mean=(0.3,), deviation=(0.37,))


def test_inputs_are_compared_with_what_pretrained_weights_expect() -> None:
    found = _fine_tuned("none", expected=EXPECTED)
    assert "pretrained_preprocessing" in found.rules("error")
    assert "pretrained_preprocessing" not in _fine_tuned("standardize", expected=EXPECTED).rules()


def test_running_statistics_show_a_preprocessing_that_is_not_recorded() -> None:
    assert "pretrained_preprocessing" in _fine_tuned("standardize", running_mean=5.0).rules("error")
    assert "pretrained_preprocessing" not in _fine_tuned("standardize").rules()
