"""Tables as datasets: what the sidecar reads of them is filled in."""

from typing import Any

import pytest

from api.jobs.admission.draft import SpecWarning
from tests.fakes.admission import SidecarInProcess, check, faults, filled
from tests.fakes.sidecar import accept_everything

TABLE = {"name": "table", "file": "houses.csv", "target": "price"}
HASH = "sha256:" + "a" * 64
NUMBERS = {
    "rows": 100,
    "features": ["size", "age"],
    "classes": [],
    "content_hash": HASH,
    "warnings": [],
}
CLASSES = {**NUMBERS, "classes": ["no", "yes"]}
REGRESSION = {"dataset": TABLE, "architecture": "linear", "loss": "l2"}


def sidecar_with(table: dict[str, Any]) -> SidecarInProcess:
    """Return a sidecar that describes every table like this."""

    def respond(request: dict[str, Any]) -> dict[str, Any]:
        is_table = request["operation"] == "table"
        return {"ok": True, **table} if is_table else accept_everything(request)

    return SidecarInProcess(respond)


def test_columns_and_content_are_filled_in() -> None:
    sidecar = sidecar_with(NUMBERS)
    assert filled(REGRESSION, sidecar)["dataset"] == {
        **TABLE,
        "features": ["size", "age"],
        "content_hash": HASH,
        "normalization": "standardize",
        "target_normalization": "standardize",
        "train": 70,
        "validation": 15,
        "test": 15,
        "image_size": None,
        "channels": None,
        "resize": None,
        "residency": None,
    }
    of_table, of_network = sidecar.requests
    assert of_table == {
        "operation": "table",
        "name": "table",
        "file": "houses.csv",
        "target": "price",
        "features": None,
        "is_number": True,
    }
    assert of_network["image"] == [2, 1, 1]


def test_filled_specification_is_accepted_unchanged() -> None:
    spec = {"dataset": TABLE, "architecture": "mlp", "loss": "logistic"}
    first = filled(spec, sidecar_with(CLASSES))
    assert first["metrics"]["top_k"] == [1]
    assert filled(first, sidecar_with(CLASSES)) == first


@pytest.mark.parametrize("choice", ["standardize", "none"])
def test_normalization_of_the_target_can_be_chosen(choice: str) -> None:
    spec = {**REGRESSION, "dataset": {**TABLE, "target_normalization": choice}}
    assert filled(spec, sidecar_with(NUMBERS))["dataset"]["target_normalization"] == choice


@pytest.mark.parametrize("target", [{}, {"target": "rotation"}])
def test_images_have_no_normalization_of_the_target(target: dict[str, str]) -> None:
    dataset = {"name": "digits", "target_normalization": "none", **target}
    spec = {"dataset": dataset, "architecture": "mlp"}
    assert list(faults(spec)) == ["/dataset/target_normalization"]
    assert "target_normalization" not in filled({**spec, "dataset": "digits"})["dataset"]


def test_classification_of_a_table_has_no_normalization_of_the_target() -> None:
    dataset = {**TABLE, "target_normalization": "standardize"}
    spec = {"dataset": dataset, "architecture": "mlp"}
    assert list(faults(spec, sidecar_with(CLASSES))) == ["/dataset/target_normalization"]


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"dataset": {"name": "table"}}, {"/dataset/file", "/dataset/target"}),
        ({"dataset": {**TABLE, "file": "../key"}}, {"/dataset/file"}),
        ({"dataset": {**TABLE, "file": "a.xlsx"}}, {"/dataset/file"}),
        ({"dataset": {**TABLE, "image_size": 32}}, {"/dataset/image_size"}),
        ({"dataset": {**TABLE, "channels": 3}}, {"/dataset/channels"}),
        ({"dataset": {**TABLE, "residency": "host"}}, {"/dataset/residency"}),
        ({"dataset": {**TABLE, "normalization": "unit"}}, {"/dataset/normalization"}),
        ({"dataset": {**TABLE, "features": []}}, {"/dataset/features"}),
        ({"dataset": {**TABLE, "content_hash": "sha256:" + "b" * 64}}, {"/dataset/content_hash"}),
        ({"dataset": {**TABLE, "train": 101}}, {"/dataset/train"}),
        ({"architecture": "vgg_small"}, {"/architecture/name"}),
        ({"augmentation": {"rotation": 5}}, {"/augmentation"}),
    ],
)
def test_what_does_not_suit_a_table_is_refused(changes: dict[str, Any], pointers: set[str]) -> None:
    assert set(faults({**REGRESSION, **changes}, sidecar_with(NUMBERS))) == pointers


def test_architecture_for_images_is_refused_with_the_architectures_for_tables() -> None:
    found = faults({**REGRESSION, "architecture": "vgg_small"}, sidecar_with(NUMBERS))
    assert found == {
        "/architecture/name": "vgg_small takes images, but a table has rows; use linear or mlp"
    }


def test_warnings_of_the_sidecar_are_warnings_of_the_draft() -> None:
    warning = {"pointer": "/dataset/features", "detail": "is left out", "suggestion": "Name it."}
    draft = check(REGRESSION, sidecar_with({**NUMBERS, "warnings": [warning]}))
    assert draft.warnings == [SpecWarning(**warning)]


def test_faults_of_the_sidecar_come_with_the_others() -> None:
    fault = {"pointer": "/dataset/target", "detail": "is not a column"}
    sidecar = SidecarInProcess(lambda _: {"ok": False, "faults": [fault]})
    assert set(faults({**REGRESSION, "seed": -1}, sidecar)) == {"/dataset/target", "/seed"}
