"""The structure of a specification: types, bounds and fields, each fault with its rule."""

from typing import Any

import pytest

from tests.fakes.admission import SPEC, faults, filled

#: Of a box whose largest worker has two devices.
WRONG_GPUS = (0, -1, 1.5, "2", True, [2], 3, 65, 2**70)


@pytest.mark.parametrize("body", [None, [], 3, "digits", True])
def test_specification_must_be_an_object(body: Any) -> None:
    found = faults(body)
    assert list(found) == [""]
    assert found[""].endswith("; it must be an object")


def test_missing_fields_are_reported() -> None:
    assert faults({}) == {"/dataset": "is required", "/architecture": "is required"}


@pytest.mark.parametrize(
    "text", ["${jndi:ldap://x}", "%s%n", "{0.__class__}", "'; DROP TABLE jobs; --", "日本", "é"]
)
def test_text_is_kept_unchanged(text: str) -> None:
    spec = filled({**SPEC, "name": text, "tags": {text: text}})
    assert (spec["name"], spec["tags"]) == (text, {text: text})


class TestIntegersBeyond64Bits:
    """No field needs them, and what writes JSON into the database does not take them."""

    @pytest.mark.parametrize(
        ("changes", "path"),
        [
            (
                {"optimizer": {"name": "sgd", "gradient_clipping": {"norm": 10**30}}},
                ("optimizer", "gradient_clipping", "norm"),
            ),
            (
                {
                    "optimizer": {
                        "name": "sgd",
                        "schedule": {"name": "reduce_on_plateau", "min_delta": 10**30},
                    }
                },
                ("optimizer", "schedule", "min_delta"),
            ),
            (
                {"training": {"early_stopping": {"min_delta": 10**30}}},
                ("training", "early_stopping", "min_delta"),
            ),
        ],
    )
    def test_number_becomes_a_float(self, changes: dict[str, Any], path: tuple[str, ...]) -> None:
        value = filled({**SPEC, **changes})
        for part in path:
            value = value[part]
        assert value == 1e30

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"seed": 10**30}, "/seed"),
            ({"seed": -(10**30)}, "/seed"),
            ({"dataset": {"name": "digits", "train": 10**30}}, "/dataset/train"),
            ({"metrics": {"top_k": [2**63]}}, "/metrics/top_k/0"),
            ({"regularizers": {"l2": 10**30}}, "/regularizers/l2/weight"),
            ({10**30: 10**30}, f"/{10**30}"),
            ({"tags": {"a": 10**30}}, "/tags/a"),
            (
                {"architecture": {"name": "mlp", "hidden_units": [10**30]}},
                "/architecture/hidden_units/0",
            ),
        ],
    )
    def test_integer_is_refused(self, changes: dict[str, Any], pointer: str) -> None:
        assert list(faults({**SPEC, **changes})) == [pointer]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"dataset": None}, "/dataset"),
        ({"architecture": 3}, "/architecture"),
        ({"dataset": ""}, "/dataset/name"),
        ({"dataset": "../../etc/passwd"}, "/dataset/name"),
        ({"architecture": "os.system"}, "/architecture/name"),
        ({"architecture": "__class__"}, "/architecture/name"),
        ({"seed": -1}, "/seed"),
        ({"seed": 2**64}, "/seed"),
        ({"seed": "7"}, "/seed"),
        ({"seed": True}, "/seed"),
        ({"seed": 1.5}, "/seed"),
        ({"name": "x" * 201}, "/name"),
        ({"name": "a\u202eb"}, "/name"),
        ({"name": "a\u200bb"}, "/name"),
        ({"name": "a\u2028b"}, "/name"),
        ({"name": "a\u2029b"}, "/name"),
        ({"tags": {"a\u2028": "b"}}, "/tags/a\u2028"),
        ({"name": "a\nb"}, "/name"),
        ({"tags": {"k" * 65: "v"}}, f"/tags/{'k' * 65}"),
        ({"tags": {"k": "v" * 513}}, "/tags/k"),
        ({"tags": {"a/b~c": 1}}, "/tags/a~1b~0c"),
        ({"tags": {str(n): "" for n in range(65)}}, "/tags"),
        ({"priority": "urgent"}, "/priority"),
        ({"owner": "somebody"}, "/owner"),
        ({"state": "succeeded"}, "/state"),
        ({"__proto__": {}}, "/__proto__"),
        ({"dataset": {"name": "digits", "train": 1, "split": 2}}, "/dataset/split"),
        ({"dataset": {"name": "digits", "image_size": 1025}}, "/dataset/image_size"),
        ({"dataset": {"name": "digits", "channels": 2}}, "/dataset/channels"),
        ({"architecture": {"name": "mlp", "hidden_units": []}}, "/architecture/hidden_units"),
        (
            {"architecture": {"name": "mlp", "hidden_units": [65_537]}},
            "/architecture/hidden_units/0",
        ),
        ({"architecture": {"name": "mlp", "hidden_units": [1] * 33}}, "/architecture/hidden_units"),
        ({"architecture": {"name": "mlp", "hidden_units": [0] * 33}}, "/architecture/hidden_units"),
        ({"optimizer": {"name": "sgd", "learning_rate": 1001}}, "/optimizer/learning_rate"),
        ({"optimizer": {"name": "sgd", "learning_rate": -1}}, "/optimizer/learning_rate"),
        ({"optimizer": {"name": "sgd", "learning_rate": 1e308}}, "/optimizer/learning_rate"),
        ({"optimizer": {"name": "sgd", "decay": 1}}, "/optimizer/decay"),
        (
            {"optimizer": {"name": "sgd", "gradient_clipping": {"norm": 0}}},
            "/optimizer/gradient_clipping/norm",
        ),
        ({"training": {"epochs": 100_001}}, "/training/epochs"),
        ({"training": {"epochs": 10**9}}, "/training/epochs"),
        ({"training": {"batch_size": -1}}, "/training/batch_size"),
        ({"training": {"early_stopping": {"patience": 0}}}, "/training/early_stopping/patience"),
        *(({"resources": {"gpus": gpus}}, "/resources/gpus") for gpus in WRONG_GPUS),
        ({"resources": {"max_runtime_seconds": 0}}, "/resources/max_runtime_seconds"),
        ({"regularizers": {"l2": None}}, "/regularizers/l2"),
        ({"regularizers": {"dropout": 1.0}}, "/regularizers/dropout/rate"),
        ({"augmentation": {"rotate": 10}}, "/augmentation/rotate"),
    ],
)
def test_faulty_value_is_the_only_fault(changes: dict[str, Any], pointer: str) -> None:
    found = faults({**SPEC, **changes})
    assert list(found) == [pointer], found
    assert len(found[pointer]) > 8


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        (
            {"architecture": {"name": "mlp", "foo": 1, "bar": 2}},
            ["/architecture/bar", "/architecture/foo"],
        ),
        (
            {
                "optimizer": {
                    "name": "sgd",
                    "foo": 1,
                    "bar": 2,
                    "schedule": {"name": "step", "foo": 1, "bar": 2},
                }
            },
            [
                *("/optimizer/bar", "/optimizer/foo"),
                *("/optimizer/schedule/bar", "/optimizer/schedule/foo"),
            ],
        ),
        (
            {"augmentation": {"rotation": {"a": 1, "b/c": 2}}},
            ["/augmentation/rotation/a", "/augmentation/rotation/b~1c"],
        ),
        (
            {"checkpoints": [{"epoch": 1}, {"monitor": "f1", "mode": "max"}]},
            ["/checkpoints/0/epoch", "/checkpoints/1/monitor"],
        ),
        ({"metrics": {"top_k": [0, 3, 11]}}, ["/metrics/top_k/0", "/metrics/top_k/2"]),
        (
            {"tags": {"k" * 65: "v"}, "metrics": {"top_k": [11]}},
            ["/metrics/top_k/0", f"/tags/{'k' * 65}"],
        ),
    ],
)
def test_several_faults_are_all_reported(changes: dict[str, Any], pointers: list[str]) -> None:
    assert list(faults({**SPEC, **changes})) == pointers


@pytest.mark.parametrize(
    ("changes", "pointer", "text"),
    [
        (
            {"tracking": {"tensorbord": True}},
            "/tracking/tensorbord",
            "`tensorbord` is not a field. Did you mean `tensorboard`? Available: tensorboard",
        ),
        (
            {"tracking": {"tensorboard": {"histogram": True}}},
            "/tracking/tensorboard/histogram",
            "Did you mean `histograms`?",
        ),
        ({"metrics": {"top_k": 5}}, "/metrics/top_k", "is 5; it must be a list"),
        ({"checkpoints": {}}, "/checkpoints", "is {}; it must be a list"),
        (
            {"fine_tuning": {"stages": []}},
            "/fine_tuning/stages",
            "is []; it must have a length of at least 1",
        ),
        ({"training": 3}, "/training", "is 3; it must be an object"),
        ({"name": 3}, "/name", "is 3; it must be a string"),
        ({"seed": -1}, "/seed", "is -1; it must be at least 0"),
        ({"seed": 1.5}, "/seed", "is 1.5; it must be an integer"),
        ({"seed": True}, "/seed", "is true; it must be a number"),
        (
            {"optimizer": {"name": "sgd", "learning_rate": 1001}},
            "/optimizer/learning_rate",
            "is 1001; it must be at most 1000",
        ),
        (
            {"training": {"deterministic": 1}},
            "/training/deterministic",
            "is 1; it must be true or false",
        ),
        (
            {"priority": "urgent"},
            "/priority",
            'is "urgent"; it must be "low", "normal" or "high"',
        ),
        ({"name": "x" * 201}, "/name", "has 201 characters; at most 200 are allowed"),
        (
            {"checkpoints": [{"epoch": 0}] * 17},
            "/checkpoints",
            "has 17 entries; at most 16 are allowed",
        ),
        ({"dataset": ""}, "/dataset/name", 'is ""; it must have a length of at least 1'),
        (
            {"regularizers": {"l2": {"weight": 0.1, "only": ["head.*"]}}},
            "/regularizers/l2/only",
            'is ["head.*"]; it must be a string or null',
        ),
        (
            {"regularizers": {"l2": {"weight": 0.1, "only": "a" * 201}}},
            "/regularizers/l2/only",
            "; it must have a length of at most 200",
        ),
        (
            {"initializer": {"name": "he_glorot", "alpha": -1}},
            "/initializer/alpha",
            "is -1; it must be greater than 0",
        ),
        ({"name": "a\nb"}, "/name", "it contains U+000A"),
        (
            {"optimizer": {"name": "sgd", "gradient_clipping": {"norm": 1e39}}},
            "/optimizer/gradient_clipping/norm",
            "is 1e+39; it must be at most 1e+30",
        ),
    ],
)
def test_fault_states_the_value_and_the_rule(
    changes: dict[str, Any], pointer: str, text: str
) -> None:
    assert text in faults({**SPEC, **changes})[pointer]
