"""Fine-tuning: what stages inherit, the epochs of the job, and the faults of the part."""

from typing import Any

import pytest

from tests.fakes.admission import SPEC, faults, filled

STAGES: list[dict[str, Any]] = [
    {"name": "warm_up", "train": "head", "epochs": 2, "optimizer": {"name": "adam"}},
    {"name": "fine_tune", "train": {"from": "body.*"}, "epochs": 3},
]
TUNING: dict[str, Any] = {"weights": None, "stages": STAGES}


def test_stages_inherit_optimizer_and_early_stopping() -> None:
    spec = filled(
        {
            **SPEC,
            "fine_tuning": TUNING,
            "optimizer": {"name": "sgd", "learning_rate": 1e-5},
            "training": {"early_stopping": {"patience": 7}},
        }
    )
    first, second = spec["fine_tuning"]["stages"]
    assert first["optimizer"]["name"] == "adam"
    assert first["optimizer"]["beta1"] == 0.9
    assert second["optimizer"] == spec["optimizer"]
    assert second["early_stopping"]["patience"] == 7
    assert spec["training"]["epochs"] == 5
    assert spec["fine_tuning"]["head"] == {"hidden_units": [256], "dropout": 0.3}
    assert spec["dataset"]["normalization"] == "standardize"
    assert filled(spec) == spec


@pytest.mark.parametrize(
    ("weights", "expected"), [(None, "train"), ({"pretrained": "efficientnet_lite0"}, "frozen")]
)
def test_batch_norm_of_a_body_with_trained_weights_is_frozen_by_default(
    weights: Any, expected: str
) -> None:
    stages = [{**STAGES[0]}, {**STAGES[1], "batch_norm": "train"}, {**STAGES[1], "name": "last"}]
    spec = filled(
        {
            "dataset": {"name": "digits", "image_size": 64, "channels": 3},
            "architecture": "efficientnet_lite0",
            "fine_tuning": {"weights": weights, "stages": stages},
        }
    )
    values = [stage["batch_norm"] for stage in spec["fine_tuning"]["stages"]]
    assert values == [expected, "train", expected]
    assert filled(spec) == spec


def test_epochs_of_the_job_must_be_the_sum_of_its_stages() -> None:
    spec = {**SPEC, "fine_tuning": TUNING}
    assert faults({**spec, "training": {"epochs": 5}}) == {}
    assert faults({**spec, "training": {"epochs": 4}}) == {
        "/training/epochs": "is 4, but the stages have 5 together; leave it out"
    }


def of_stage(**changes: Any) -> dict[str, Any]:
    """Return a fine-tuning with one stage, changed."""
    return {**TUNING, "stages": [{**STAGES[0], **changes}]}


@pytest.mark.parametrize(
    ("fine_tuning", "pointer"),
    [
        ({**TUNING, "stages": []}, "/stages"),
        ({"weights": None}, "/stages"),
        ({**TUNING, "stages": [STAGES[0]] * 2}, "/stages/1/name"),
        ({**TUNING, "stages": [{"name": "a"}]}, "/stages/0/epochs"),
        (of_stage(epochs=0), "/stages/0/epochs"),
        (of_stage(train="tail"), "/stages/0/train"),
        (of_stage(train={"from": ""}), "/stages/0/train"),
        (of_stage(name="Warm up"), "/stages/0/name"),
        (of_stage(optimizer="adm"), "/stages/0/optimizer/name"),
        (of_stage(batch_size=3), "/stages/0/batch_size"),
        (of_stage(batch_norm="freeze"), "/stages/0/batch_norm"),
        (of_stage(batch_norm=True), "/stages/0/batch_norm"),
        (of_stage(early_stopping={"monitor": "val_los"}), "/stages/0/early_stopping/monitor"),
        ({**TUNING, "weights": {}}, "/weights"),
        ({**TUNING, "weights": {"pretrained": "mlp", "job": "x"}}, "/weights"),
        ({**TUNING, "weights": {"pretrained": "m", "checkpoint": "last"}}, "/weights"),
        ({**TUNING, "head": {"dropout": 1}}, "/head/dropout"),
        (
            {"stages": [{"name": "a", "epochs": 100_000}, {"name": "b", "epochs": 1}]},
            "/stages",
        ),
    ],
)
def test_fault_of_fine_tuning_is_the_only_fault(fine_tuning: dict[str, Any], pointer: str) -> None:
    assert list(faults({**SPEC, "fine_tuning": fine_tuning})) == [f"/fine_tuning{pointer}"]


def test_second_stage_of_a_name_is_refused() -> None:
    found = faults({**SPEC, "fine_tuning": {**TUNING, "stages": [STAGES[0]] * 2}})
    assert found == {
        "/fine_tuning/stages/1/name": 'is "warm_up"; an earlier stage has the same name'
    }
