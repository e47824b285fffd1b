"""Every fault of a specification comes at once, whatever else is at fault."""

from typing import Any

import pytest

from tests.api.service import SPEC, Service

#: At fault by what they mean, not by their form; each with where that is said.
MEANT: dict[str, Any] = {
    "checkpoints": [{"monitor": "nope", "mode": "min"}],
    "resources": {"gpus": 3},
    "regularizers": {"l2": {"weight": -1}},
}
FOUND = {"/checkpoints/0/monitor", "/resources/gpus", "/regularizers/l2/weight"}


@pytest.mark.parametrize(
    ("malformed", "pointer"),
    [
        ({"dataset": None}, "/dataset"),
        ({"dataset": 5}, "/dataset"),
        ({"dataset": {"train": 5}}, "/dataset/name"),
        ({"dataset": "x" * 101}, "/dataset/name"),
        ({"architecture": ["mlp"]}, "/architecture"),
        ({"architecture": {"hidden_units": [1]}}, "/architecture/name"),
        ({"optimizer": {"learning_rate": 0.1}}, "/optimizer/name"),
        ({"optimizer": "x" * 101}, "/optimizer/name"),
        ({"optimizer": {"name": "sgd", "schedule": {}}}, "/optimizer/schedule/name"),
        (
            {"initializer": {"name": "zeros", "overrides": {"a": {}}}},
            "/initializer/overrides/a/name",
        ),
        ({"fine_tuning": {}}, "/fine_tuning/stages"),
        ({"fine_tuning": {"stages": []}}, "/fine_tuning/stages"),
        ({"fine_tuning": {"stages": [{"name": "a"}]}}, "/fine_tuning/stages/0/epochs"),
        ({"fine_tuning": {"stages": [{"epochs": 1}]}}, "/fine_tuning/stages/0/name"),
    ],
)
def test_the_rest_is_checked(service: Service, malformed: dict[str, Any], pointer: str) -> None:
    assert FOUND | {pointer} <= set(service.faults({**SPEC, **MEANT, **malformed}))


@pytest.mark.parametrize("absent", ["dataset", "architecture"])
def test_what_is_required_may_be_absent_altogether(service: Service, absent: str) -> None:
    spec = {name: value for name, value in {**SPEC, **MEANT}.items() if name != absent}
    faults = service.faults(spec)
    assert set(faults) == {f"/{absent}", *FOUND}
    assert faults[f"/{absent}"] == "is required"


def test_a_stage_at_fault_leaves_the_others_their_places(service: Service) -> None:
    nesterov = {"name": "sgd", "momentum": 0, "nesterov": True}
    stages = [
        {"name": "A", "epochs": 0, "optimizer": "adamm"},
        5,
        {"epochs": 2, "early_stopping": {"monitor": "nope"}},
        {"name": "last", "epochs": 3, "optimizer": nesterov},
    ]
    at = "/fine_tuning/stages"
    assert set(service.faults({**SPEC, "fine_tuning": {"stages": stages}})) == {
        f"{at}/0/name",
        f"{at}/0/epochs",
        f"{at}/0/optimizer/name",
        f"{at}/1",
        f"{at}/2/name",
        f"{at}/2/early_stopping/monitor",
        f"{at}/3/optimizer/nesterov",
    }


@pytest.mark.parametrize(
    ("spec", "pointer"),
    [
        # What nobody knows without the part that is at fault is not found fault with.
        ({"dataset": "digitz", "checkpoints": [["val_top_5_accuracy", "max"]]}, "/dataset/name"),
        ({"loss": "l22", "checkpoints": [["val_mean_absolute_error", "min"]]}, "/loss/name"),
        (
            {
                "dataset": {"name": "digits", "normalization": "of_weights"},
                "fine_tuning": {"weights": {}, "stages": [{"name": "a", "epochs": 1}]},
            },
            "/fine_tuning/weights",
        ),
        (
            {
                "training": {"epochs": "90"},
                "optimizer": {"name": "sgd", "schedule": {"name": "cosine", "warmup": 3000}},
            },
            "/training/epochs",
        ),
        (
            {"fine_tuning": {"stages": [{"name": "a"}]}, "training": {"epochs": 7}},
            "/fine_tuning/stages/0/epochs",
        ),
    ],
)
def test_a_fault_is_told_once_and_not_its_consequences(
    service: Service, spec: dict[str, Any], pointer: str
) -> None:
    if "checkpoints" in spec:
        watched = [{"monitor": monitor, "mode": mode} for monitor, mode in spec["checkpoints"]]
        spec = {**spec, "checkpoints": watched}
    assert set(service.faults({**SPEC, **spec})) == {pointer}


@pytest.mark.parametrize(
    ("spec", "pointer", "text"),
    [
        (
            {"regularizers": {"l2": {"weight": 0.1, "only": ["head.*"]}}},
            "/regularizers/l2/only",
            'is ["head.*"]; it must be of type string or null',
        ),
        (
            {"regularizers": {"l2": {"weight": 0.1, "only": "a" * 201}}},
            "/regularizers/l2/only",
            'is "aaa',
        ),
        (
            {"initializer": {"name": "he_glorot", "alpha": -1}},
            "/initializer/alpha",
            "is -1; it must be greater than 0",
        ),
    ],
)
def test_what_may_be_null_says_what_else_it_may_be(
    service: Service, spec: dict[str, Any], pointer: str, text: str
) -> None:
    assert service.faults({**SPEC, **spec})[pointer].startswith(text)
