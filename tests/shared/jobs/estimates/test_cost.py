"""The kind of a job, and how many passes it makes."""

from typing import Any

import pytest

from shared.jobs.estimates.cost import cost_of
from tests.shared.jobs.estimates.examples import cost, full_spec

SAME: list[dict[str, Any]] = [
    {"seed": 7},
    {"name": "another"},
    {"optimizer": {"name": "sgd", "learning_rate": 0.5}},
    {"regularizers": {"l2": {"weight": 0.5}}},
    {"training": {"epochs": 100_000}},
    {"dataset": {"train": 20}},
    {"resources": {"gpus": 1, "max_runtime_seconds": 60}},
]
OTHER: list[dict[str, Any]] = [
    {"architecture": {"name": "mlp", "hidden_units": [512]}},
    {"optimizer": {"name": "adam", "learning_rate": 0.1}},
    {"regularizers": {"l2": {"weight": 0.1}, "vat": {"power_iterations": 2}}},
    {"augmentation": {"rotation": 10}},
    {"training": {"batch_size": 64}},
    {"training": {"precision": "bfloat16"}},
    {"dataset": {"image_size": 16}},
    {"dataset": {"name": "synthetic"}},
    {"resources": {"gpus": 2}},
    {"diagnostics": {"mode": "full"}},
]
METHODS = {
    "optimizer": {"name": "sgd", "learning_rate": 0.1},
    "regularizers": {"l2": {"weight": 0.1}},
}


@pytest.mark.parametrize("changes", SAME, ids=str)
def test_what_does_not_change_the_time_of_a_pass_keeps_the_kind(changes: dict[str, Any]) -> None:
    assert cost(**(METHODS | changes)).kind == cost(**METHODS).kind


@pytest.mark.parametrize("changes", OTHER, ids=str)
def test_what_changes_the_time_of_a_pass_changes_the_kind(changes: dict[str, Any]) -> None:
    assert cost(**(METHODS | changes)).kind != cost(**METHODS).kind


def test_an_epoch_trains_validates_and_evaluates_as_many_training_images() -> None:
    assert cost().passes_per_epoch == 3 * 100 + 50 + 50
    assert cost().passes == 10 * 400
    limited = cost_of(full_spec(), epoch_limit=2)
    assert limited is not None
    assert limited.passes == 2 * 400


@pytest.mark.parametrize(("before", "left"), [(0, 10), (7, 3), (10, 0), (12, 0)])
def test_epochs_of_the_checkpoint_are_not_trained_again(before: int, left: int) -> None:
    found = cost_of(full_spec(), epochs_before=before)
    assert found is not None
    assert found.passes == left * 400


def test_each_of_several_devices_computes_its_part_of_a_pass() -> None:
    assert cost(resources={"gpus": 4}).size == pytest.approx(cost().size / 4)


@pytest.mark.parametrize(
    "spec",
    [
        None,
        "text",
        {},
        full_spec(training={"epochs": "many"}),
        full_spec(training={"epochs": None}),
        full_spec(training={"batch_size": 0}),
        full_spec(training={"epochs": -1}),
        full_spec(dataset={"image_size": "large"}),
        full_spec(dataset={"image_size": 10**400}),
        full_spec(dataset={"train": float("nan")}),
        full_spec(architecture="mlp"),
        full_spec(architecture={"name": 3}),
        full_spec(regularizers=[1]),
        full_spec(fine_tuning="none"),
        full_spec(resources={"max_runtime_seconds": "long"}),
    ],
    ids=str,
)
def test_a_damaged_specification_has_no_cost(spec: Any) -> None:
    assert cost_of(spec) is None
