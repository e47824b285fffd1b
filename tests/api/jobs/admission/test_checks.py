"""All checks together: every fault at once, each once, and a specification for the worker."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from shared.errors import InvalidSpec
from shared.spec import JobSpec
from tests.fakes.admission import SPEC, SidecarInProcess, check, faults, filled

#: Faults of meaning, not of structure.
FAULTY: dict[str, Any] = {
    "checkpoints": [{"monitor": "nope", "mode": "min"}],
    "resources": {"gpus": 3},
    "regularizers": {"l2": {"weight": -1}},
}
POINTERS = {"/checkpoints/0/monitor", "/resources/gpus", "/regularizers/l2/weight"}


class TestAcceptedSpecification:
    def test_it_is_a_specification_for_the_worker(self) -> None:
        raw = {
            "dataset": "digits",
            "architecture": {"name": "vgg_small", "widths": [4]},
            "regularizers": {"l2": 0.01, "dropout": True, "label_smoothing": {}},
            "initializer": {"name": "he_normal", "overrides": {"head.*": "zeros"}},
            "optimizer": {"name": "adam", "gradient_clipping": {"norm": 1}},
            "checkpoints": [{"epoch": 0}, {"every_epochs": 2}],
            "metrics": {"top_k": [3, 1, 3]},
        }
        spec = filled(raw)
        parsed = JobSpec.model_validate(spec)
        assert filled(spec) == spec
        assert parsed.optimizer.gradient_clipping is not None
        assert parsed.initializer.overrides["head.*"].name == "zeros"

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("augmentation", {"horizontal_flip": False, "rotation": False}),
            ("regularizers", {"l2": False}),
            ("tracking", None),
            ("tracking", {"tensorboard": False}),
            ("tracking", {"tensorboard": None}),
        ],
    )
    def test_false_and_null_are_the_same_as_leaving_out(self, field: str, value: Any) -> None:
        assert filled({**SPEC, field: value}) == filled(SPEC)

    def test_it_does_not_depend_on_how_numbers_are_written(self) -> None:
        def spec(number: float) -> str:
            raw = {
                "dataset": "digits",
                "architecture": {"name": "mlp", "hidden_units": [number]},
                "regularizers": {"l2": {"weight": number}},
                "augmentation": {"brightness": [number, 2 * number]},
                "initializer": {"name": "he_glorot", "alpha": number},
                "optimizer": {
                    "name": "sgd",
                    "learning_rate": number,
                    "gradient_clipping": {"norm": number, "value": None},
                },
            }
            return json.dumps(filled(raw))

        assert spec(1) == spec(1.0)

    def test_dropout_of_an_architecture_is_its_own_default(self) -> None:
        spec = {
            "dataset": {"name": "digits", "image_size": 32},
            "architecture": "efficientnet_b4",
        }
        assert filled(spec)["architecture"] == {"name": "efficientnet_b4", "dropout": 0.4}


class TestEveryFaultAtOnce:
    def test_each_with_what_is_allowed(self) -> None:
        found = faults(
            {
                "dataset": {"name": "fashon-mnist", "image_size": 4, "chanels": 3},
                "architecture": {"name": "mlp", "hidden_units": [0, "x"], "activatoin": "relu"},
                "initializer": {"name": "he_norml", "overrides": {"head.*": "lecun"}},
                "regularizers": {"l2": {"weight": -1}, "dropot": True, "dropout": "x"},
                "optimizer": {
                    "name": "sgd",
                    "learning_rate": 0,
                    "momentum": 1,
                    "schedule": "cosin",
                    "gradient_clipping": {"value": 1, "norm": 1},
                },
                "loss": "cross_entropi",
                "training": {"epochs": 0, "batch_size": 65_537, "precision": "float8"},
                "checkpoints": [{"mode": "min"}, {"epoch": 1}],
                "metrics": {"top_k": [0]},
                "resources": {"gpus": 65},
                "learning_rate": 0.1,
                "seed": 2**53,
            }
        )
        assert "Did you mean `fashion-mnist`?" in found["/dataset/name"]
        assert "Did you mean `channels`?" in found["/dataset/chanels"]
        assert "must be at least 8" in found["/dataset/image_size"]
        assert "at least 1" in found["/architecture/hidden_units/0"]
        assert "Did you mean `activation`?" in found["/architecture/activatoin"]
        assert "Did you mean `he_normal`?" in found["/initializer/name"]
        assert "Did you mean `lecun_" in found["/initializer/overrides/head.*/name"]
        assert "at least 0" in found["/regularizers/l2/weight"]
        assert "Did you mean `dropout`?" in found["/regularizers/dropot"]
        assert "/regularizers/dropout/rate" in found
        assert "must be greater than 0" in found["/optimizer/learning_rate"]
        assert "less than 1" in found["/optimizer/momentum"]
        assert "Did you mean `cosine`?" in found["/optimizer/schedule/name"]
        assert "exactly one" in found["/optimizer/gradient_clipping"]
        assert "Did you mean `cross_entropy`?" in found["/loss/name"]
        assert {"/training/epochs", "/training/batch_size", "/training/precision"} <= set(found)
        assert {"/checkpoints/0", "/checkpoints/1/epoch", "/metrics/top_k/0"} <= set(found)
        assert {"/resources/gpus", "/learning_rate", "/seed"} <= set(found)

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
    def test_malformed_part_does_not_hide_other_faults(
        self, malformed: dict[str, Any], pointer: str
    ) -> None:
        assert POINTERS | {pointer} <= set(faults({**SPEC, **FAULTY, **malformed}))

    @pytest.mark.parametrize("absent", ["dataset", "architecture"])
    def test_missing_part_does_not_hide_other_faults(self, absent: str) -> None:
        spec = {name: value for name, value in {**SPEC, **FAULTY}.items() if name != absent}
        found = faults(spec)
        assert set(found) == {f"/{absent}", *POINTERS}
        assert found[f"/{absent}"] == "is required"

    def test_faulty_stage_does_not_shift_the_pointers_of_later_stages(self) -> None:
        nesterov = {"name": "sgd", "momentum": 0, "nesterov": True}
        stages = [
            {"name": "A", "epochs": 0, "optimizer": "adamm"},
            5,
            {"epochs": 2, "early_stopping": {"monitor": "nope"}},
            {"name": "last", "epochs": 3, "optimizer": nesterov},
        ]
        at = "/fine_tuning/stages"
        assert set(faults({**SPEC, "fine_tuning": {"stages": stages}})) == {
            f"{at}/0/name",
            f"{at}/0/epochs",
            f"{at}/0/optimizer/name",
            f"{at}/1",
            f"{at}/2/name",
            f"{at}/2/early_stopping/monitor",
            f"{at}/3/optimizer/nesterov",
        }

    def test_faults_come_in_the_order_of_their_pointers(self) -> None:
        found = faults({"seed": -1, "dataset": "x", "architecture": "y", "name": 3})
        assert list(found) == ["/architecture/name", "/dataset/name", "/name", "/seed"]

    def test_faults_of_the_sidecar_come_with_the_others(self) -> None:
        fault = {"pointer": "/fine_tuning/stages/0/train/from", "detail": "matches no layer"}
        sidecar = SidecarInProcess(lambda _: {"ok": False, "faults": [fault]})
        stage = {"name": "a", "epochs": 1, "train": {"from": "x"}}
        found = faults({**SPEC, "seed": -1, "fine_tuning": {"stages": [stage]}}, sidecar)
        assert found[fault["pointer"]] == fault["detail"]
        assert set(found) == {fault["pointer"], "/seed"}


@pytest.mark.parametrize(
    ("spec", "pointer"),
    [
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
def test_consequences_of_a_fault_are_not_reported(spec: dict[str, Any], pointer: str) -> None:
    if "checkpoints" in spec:
        rules = [{"monitor": monitor, "mode": mode} for monitor, mode in spec["checkpoints"]]
        spec = {**spec, "checkpoints": rules}
    assert set(faults({**SPEC, **spec})) == {pointer}


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value of a specification."""
    yield path
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(inner, (*path, name))


def test_any_value_anywhere_is_refused_or_can_be_stored() -> None:
    """What writes JSON into the database takes no integer beyond 64 bits."""
    spec = filled(
        {
            "dataset": "digits",
            "architecture": {"name": "vgg_small", "widths": [4]},
            "regularizers": {"l2": 0.01, "dropout": True, "label_smoothing": {"alpha": 0.1}},
            "augmentation": {"rotation": 10, "brightness": [0.8, 1.2]},
            "initializer": {"name": "he_glorot", "overrides": {"head.*": "zeros"}},
            "optimizer": {
                "name": "adam",
                "schedule": "reduce_on_plateau",
                "gradient_clipping": {"norm": 1},
            },
            "training": {"early_stopping": {}},
            "fine_tuning": {"stages": [{"name": "a", "epochs": 1, "optimizer": "sgd"}]},
            "tracking": {"tensorboard": True},
            "metrics": {"top_k": [1, 5]},
        }
    )
    values = [10**30, -(2**63), 2**63, 1e308, 1.0, True, None, "x", [], {}, [[1]]]
    stored = refused = 0
    for path in paths(spec):
        for value in values:
            changed = copy.deepcopy(spec) if path else value
            parent: Any = changed
            for part in path[:-1]:
                parent = parent[part]
            if path:
                parent[path[-1]] = value
            try:
                draft = check(changed)
            except InvalidSpec:
                refused += 1
            else:
                orjson.dumps([draft.raw, draft.filled])
                stored += 1
    assert stored > 100
    assert refused > 400
