"""The task: the loss and the top-k accuracies must suit classes or a number."""

from typing import Any

import pytest

from tests.fakes.admission import SPEC, SidecarInProcess, faults, filled

ROTATION = {**SPEC, "dataset": {"name": "digits", "target": "rotation"}}


class TestRegression:
    def test_defaults_are_the_squared_loss_and_no_top_k(self) -> None:
        sidecar = SidecarInProcess()
        spec = filled(ROTATION, sidecar)
        assert spec["dataset"]["target"] == "rotation"
        assert spec["loss"] == {"name": "l2"}
        assert spec["metrics"]["top_k"] == []
        assert sidecar.requests[-1]["classes"] == 1

    @pytest.mark.parametrize("loss", ["l1", "l2", {"name": "epsilon_insensitive", "epsilon": 0.2}])
    def test_every_regression_loss_is_accepted(self, loss: Any) -> None:
        assert faults({**ROTATION, "loss": loss}) == {}

    @pytest.mark.parametrize("loss", ["hinge", "cross_entropy"])
    def test_classification_loss_is_refused(self, loss: str) -> None:
        assert faults({**ROTATION, "loss": loss})["/loss/name"] == (
            f"{loss} is for classification, but the target of digits is a number; "
            "use one of epsilon_insensitive, l1, l2"
        )

    @pytest.mark.parametrize(
        ("changes", "pointer", "text"),
        [
            ({"metrics": {"top_k": [1]}}, "/metrics/top_k", "is for classification"),
            (
                {"training": {"early_stopping": {"monitor": "val_accuracy", "mode": "max"}}},
                "/training/early_stopping/monitor",
                "`val_accuracy` is not a metric of this job",
            ),
        ],
    )
    def test_metrics_of_classification_are_refused(
        self, changes: dict[str, Any], pointer: str, text: str
    ) -> None:
        assert text in faults({**ROTATION, **changes})[pointer]


class TestClassification:
    @pytest.mark.parametrize("loss", ["l1", "l2", "epsilon_insensitive"])
    def test_regression_loss_is_refused_with_the_way_to_a_regression(self, loss: str) -> None:
        assert faults({**SPEC, "loss": loss}) == {
            "/loss/name": f"{loss} is for regression, but the target of digits is classes; use one "
            "of cross_entropy, hinge, logistic, or set dataset.target to rotation"
        }

    def test_loss_for_two_classes_is_refused_with_ten(self) -> None:
        assert faults({**SPEC, "loss": "logistic"}) == {
            "/loss/name": "logistic is for 2 classes, but digits has 10; use cross_entropy or hinge"
        }


class TestTopK:
    def test_default_is_1_and_5(self) -> None:
        assert filled(SPEC)["metrics"]["top_k"] == [1, 5]

    def test_each_k_is_kept_once(self) -> None:
        assert filled({**SPEC, "metrics": {"top_k": [5, 5, 1]}})["metrics"]["top_k"] == [5, 1]

    def test_k_above_the_number_of_classes_is_refused(self) -> None:
        assert faults({**SPEC, "metrics": {"top_k": [3, 11]}}) == {
            "/metrics/top_k/1": "is 11; it must be at most 10, the number of classes"
        }
