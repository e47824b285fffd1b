"""The dataset: its name, its target, its shape and its normalization."""

from typing import Any

import pytest

from tests.fakes.admission import SPEC, faults, filled

DIGITS = {"name": "digits"}
STAGES = [{"name": "a", "epochs": 1}]


def test_shape_and_splits_are_filled_in() -> None:
    assert filled(SPEC)["dataset"] == {
        "name": "digits",
        "train": 1259,
        "validation": 269,
        "test": 269,
        "image_size": 8,
        "channels": 1,
        "normalization": "standardize",
    }


def test_unknown_name_is_reported_with_the_nearest_name() -> None:
    assert faults({**SPEC, "dataset": "digts"}) == {
        "/dataset/name": "`digts` is not a dataset. Did you mean `digits`? "
        "Available: cifar10, digits, fashion-mnist, synthetic, table"
    }


@pytest.mark.parametrize(
    ("dataset", "pointer"),
    [
        ({"name": "digits", "validation": 1798}, "/dataset/validation"),
        ({"name": "digits", "train": 1797, "test": 1}, "/dataset/test"),
        ({"name": "fashion-mnist", "test": 10_001}, "/dataset/test"),
        ({"name": "synthetic", "train": 100_000}, "/dataset/train"),
    ],
)
def test_split_that_is_too_large_is_reported(dataset: dict[str, Any], pointer: str) -> None:
    assert list(faults({**SPEC, "dataset": dataset})) == [pointer]


@pytest.mark.parametrize("field", ["file", "features", "content_hash"])
def test_fields_of_tables_are_refused_for_images(field: str) -> None:
    values = {"file": "a.csv", "features": ["a"], "content_hash": "sha256:" + "a" * 64}
    found = faults({**SPEC, "dataset": {**DIGITS, field: values[field]}})
    assert found == {f"/dataset/{field}": "is for tables, but digits has images; leave it out"}


@pytest.mark.parametrize("residency", ["device", "host"])
def test_residency_of_images_is_kept(residency: str) -> None:
    found = filled({**SPEC, "dataset": {**DIGITS, "residency": residency}})
    assert found["dataset"]["residency"] == residency


def test_unknown_residency_is_refused() -> None:
    spec = {**SPEC, "dataset": {**DIGITS, "residency": "disk"}}
    assert list(faults(spec)) == ["/dataset/residency"]


class TestTarget:
    def test_unknown_target_is_reported_with_the_nearest_name(self) -> None:
        assert faults({**SPEC, "dataset": {**DIGITS, "target": "rotatoin"}}) == {
            "/dataset/target": "`rotatoin` is not a target of digits. Did you mean `rotation`? "
            "Available: rotation. Leave it out to predict classes"
        }

    def test_dataset_of_classes_has_no_target(self) -> None:
        assert faults({**SPEC, "dataset": {"name": "fashion-mnist", "target": "rotation"}}) == {
            "/dataset/target": "`rotation` is not a target of fashion-mnist, which has only "
            "classes; leave it out"
        }


class TestNormalization:
    def test_it_is_that_of_the_weights_by_default(self) -> None:
        spec = {
            "dataset": {**DIGITS, "image_size": 32, "channels": 3},
            "architecture": "efficientnet_lite0",
        }
        weights = {"pretrained": "efficientnet_lite0"}
        tuned = {**spec, "fine_tuning": {"weights": weights, "stages": STAGES}}
        assert filled(tuned)["dataset"]["normalization"] == "of_weights"
        assert filled(spec)["dataset"]["normalization"] == "standardize"

    @pytest.mark.parametrize("fine_tuning", [None, {"weights": None, "stages": STAGES}])
    def test_of_weights_without_weights_is_refused(self, fine_tuning: Any) -> None:
        dataset = {**DIGITS, "normalization": "of_weights"}
        assert faults({**SPEC, "dataset": dataset, "fine_tuning": fine_tuning}) == {
            "/dataset/normalization": "is of_weights, but the job has no weights; "
            "use standardize, unit or none"
        }
