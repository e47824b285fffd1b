"""The weights of classes in a specification."""

from typing import Any

import pytest

from shared.spec import JobSpec
from tests.fakes.admission import SPEC, faults, filled

AT = "/loss/class_weights"


def _spec(weights: Any, loss: str = "cross_entropy") -> dict[str, Any]:
    return {**SPEC, "loss": {"name": loss, "class_weights": weights}}


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge"])
def test_balanced_is_accepted_for_a_classification(loss: str) -> None:
    spec = filled(_spec("balanced", loss))
    assert spec["loss"] == {"name": loss, "class_weights": "balanced"}
    assert JobSpec.model_validate(spec).loss.class_weights == "balanced"


def test_weights_of_the_other_classes_are_filled_in_with_1() -> None:
    weights = filled(_spec({"3": 2, "7": 0.5, "0": 0}))["loss"]["class_weights"]
    assert weights == {str(n): {0: 0.0, 3: 2.0, 7: 0.5}.get(n, 1.0) for n in range(10)}
    assert all(isinstance(weight, float) for weight in weights.values())


@pytest.mark.parametrize("spec", [SPEC, _spec(None), {**SPEC, "loss": "cross_entropy"}])
def test_loss_without_weights_has_no_weights(spec: dict[str, Any]) -> None:
    assert filled(spec)["loss"] == {"name": "cross_entropy"}


def test_unknown_class_is_refused_with_the_nearest_and_all_faults_at_once() -> None:
    spec = {**_spec({"Sneakr": 2, "Coat": -1, "Bag": "x"}), "dataset": "fashion-mnist"}
    found = faults(spec)
    assert set(found) == {f"{AT}/Sneakr", f"{AT}/Coat", f"{AT}/Bag"}
    assert "Did you mean `Sneaker`?" in found[f"{AT}/Sneakr"]
    assert found[f"{AT}/Coat"] == "is -1; it must be at least 0 and at most 1,000,000"
    assert found[f"{AT}/Bag"] == 'is "x"; it must be a number'


@pytest.mark.parametrize("weight", [True, None, [1], 1e7, 1e-7, "1"])
def test_weight_that_is_no_number_within_the_bounds_is_refused(weight: Any) -> None:
    assert list(faults(_spec({"1": weight}))) == [f"{AT}/1"]


def test_weights_that_are_all_0_are_refused() -> None:
    assert faults(_spec({str(n): 0 for n in range(10)})) == {
        AT: "is 0 for every class; at least one weight must be greater than 0"
    }


@pytest.mark.parametrize("weights", ["balance", 3, True, [], {}])
def test_anything_else_is_refused(weights: Any) -> None:
    assert 'it must be "balanced" or {class: weight}' in faults(_spec(weights))[AT]


def test_loss_that_does_not_fit_the_target_is_the_only_fault() -> None:
    spec = {**_spec({"3": 2}), "dataset": {"name": "digits", "target": "rotation"}}
    assert list(faults(spec)) == ["/loss/name"]


@pytest.mark.parametrize("weights", ["balanced", {"3": 2}])
def test_regression_has_no_class_weights(weights: Any) -> None:
    spec = {**_spec(weights, "l2"), "dataset": {"name": "digits", "target": "rotation"}}
    assert faults(spec) == {AT: "needs classes, but the loss l2 is for regression; leave it out"}
