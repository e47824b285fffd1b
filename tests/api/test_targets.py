"""Classes or a number: what goes with which, and how tables are asked for."""

from typing import Any

import pytest

from tests.api.service import Service
from tests.fakes.sidecar import no_sidecar

DIGITS = {"name": "digits", "target": "rotation"}
ROTATION = {"dataset": DIGITS, "architecture": "mlp"}
TABLE = {"name": "table", "file": "houses.csv", "target": "price"}
HASH = "sha256:" + "a" * 64
NUMBERS = {"rows": 100, "features": ["size", "age"], "classes": [], "content_hash": HASH}
CLASSES = {**NUMBERS, "classes": ["no", "yes"]}


def says(service: Service, answer: dict[str, Any]) -> None:
    """Have the sidecar describe a table so."""
    usual = service.sidecar.respond

    def say(question: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, **answer} if question["ask"] == "table" else usual(question)

    service.sidecar.respond = say


class TestRotation:
    def test_a_number_is_asked_for_with_l2_unless_said_otherwise(self, service: Service) -> None:
        spec = service.post("/v1/jobs/validate", ROTATION).json()["spec"]
        assert spec["dataset"]["target"] == "rotation"
        assert spec["loss"] == {"name": "l2"}
        assert spec["metrics"]["top_k"] == []
        monitors = [one["monitor"] for one in spec["checkpoints"]]
        assert monitors == ["val_loss", "val_mean_absolute_error"]
        assert service.sidecar.requests[-1]["classes"] == 1

    @pytest.mark.parametrize("loss", ["l1", "l2", {"name": "epsilon_insensitive", "epsilon": 0.2}])
    def test_with_each_loss_for_numbers(self, service: Service, loss: Any) -> None:
        service.submit(**ROTATION, loss=loss)

    @pytest.mark.parametrize(
        ("change", "pointer", "says"),
        [
            ({"loss": "cross_entropy"}, "/loss/name", "epsilon_insensitive, l1, l2"),
            (
                {"loss": "hinge"},
                "/loss/name",
                "but the target of digits is a number",
            ),
            ({"regularizers": {"mixup": True}}, "/regularizers/mixup", "needs classes"),
            ({"regularizers": {"vat": True}}, "/regularizers/vat", "needs classes"),
            (
                {"regularizers": {"label_smoothing": 0.1}},
                "/regularizers/label_smoothing",
                "needs classes",
            ),
            ({"metrics": {"top_k": [1]}}, "/metrics/top_k", "is for classification"),
            (
                {"training": {"early_stopping": {"monitor": "val_accuracy", "mode": "max"}}},
                "/training/early_stopping/monitor",
                "is not a metric of this job",
            ),
            ({"augmentation": {"rotation": 5}}, "/augmentation/rotation", "changes the angle"),
            (
                {"augmentation": {"horizontal_flip": True}},
                "/augmentation/horizontal_flip",
                "changes the angle",
            ),
            (
                {"dataset": {**DIGITS, "target": "rotatoin"}},
                "/dataset/target",
                "Did you mean `rotation`",
            ),
            (
                {"dataset": {"name": "fashion-mnist", "target": "rotation"}},
                "/dataset/target",
                "has only classes",
            ),
            ({"dataset": {**DIGITS, "file": "a.csv"}}, "/dataset/file", "is for tables"),
        ],
    )
    def test_what_does_not_go_with_it(
        self, service: Service, change: dict[str, Any], pointer: str, says: str
    ) -> None:
        faults = service.faults({**ROTATION, **change})
        assert says in faults[pointer]

    def test_shifts_leave_the_angle_alone(self, service: Service) -> None:
        service.submit(**ROTATION, augmentation={"width_shift": 0.1, "brightness": True})


class TestClasses:
    @pytest.mark.parametrize("loss", ["l1", "l2", "epsilon_insensitive"])
    def test_a_loss_for_numbers_is_refused_with_the_way_to_a_number(
        self, service: Service, loss: str
    ) -> None:
        faults = service.faults({"dataset": "digits", "architecture": "mlp", "loss": loss})
        assert "the target of digits is classes" in faults["/loss/name"]
        assert "set dataset.target to rotation" in faults["/loss/name"]

    @pytest.mark.parametrize("name", ["mixup", "label_smoothing"])
    @pytest.mark.parametrize("loss", ["hinge"])
    def test_mixed_or_smoothed_labels_go_with_cross_entropy_alone(
        self, service: Service, name: str, loss: str
    ) -> None:
        spec = {"dataset": "digits", "architecture": "mlp", "loss": loss}
        faults = service.faults({**spec, "regularizers": {name: True}})
        assert "use cross_entropy" in faults[f"/regularizers/{name}"]

    def test_logistic_is_for_two_classes(self, service: Service) -> None:
        faults = service.faults({"dataset": "digits", "architecture": "mlp", "loss": "logistic"})
        assert "is for 2 classes, but digits has 10" in faults["/loss/name"]


class TestTables:
    def test_columns_and_content_are_filled_in(self, service: Service) -> None:
        says(service, NUMBERS)
        spec = {"dataset": TABLE, "architecture": "linear", "loss": "l2"}
        filled = service.post("/v1/jobs/validate", spec).json()["spec"]
        assert filled["dataset"] == {
            **TABLE,
            "features": ["size", "age"],
            "content_hash": HASH,
            "normalization": "standardize",
            "train": 70,
            "validation": 15,
            "test": 15,
            "image_size": None,
            "channels": None,
        }
        asked = service.sidecar.requests[0]
        assert asked == {
            "ask": "table",
            "file": "houses.csv",
            "target": "price",
            "features": None,
            "is_number": True,
        }
        assert service.sidecar.requests[-1]["image"] == [2, 1, 1]

    def test_what_is_filled_in_is_admitted_as_it_is(self, service: Service) -> None:
        says(service, CLASSES)
        spec = {"dataset": TABLE, "architecture": "mlp", "loss": "logistic"}
        filled = service.post("/v1/jobs/validate", spec).json()["spec"]
        assert filled["metrics"]["top_k"] == [1]
        assert service.post("/v1/jobs/validate", filled).json()["spec"] == filled

    @pytest.mark.parametrize(
        ("change", "pointers"),
        [
            ({"dataset": {"name": "table"}}, {"/dataset/file", "/dataset/target"}),
            ({"dataset": {**TABLE, "file": "../key"}}, {"/dataset/file"}),
            ({"dataset": {**TABLE, "file": "a.xlsx"}}, {"/dataset/file"}),
            ({"dataset": {**TABLE, "image_size": 32}}, {"/dataset/image_size"}),
            ({"dataset": {**TABLE, "channels": 3}}, {"/dataset/channels"}),
            ({"dataset": {**TABLE, "normalization": "unit"}}, {"/dataset/normalization"}),
            ({"dataset": {**TABLE, "features": []}}, {"/dataset/features"}),
            (
                {"dataset": {**TABLE, "content_hash": "sha256:" + "b" * 64}},
                {"/dataset/content_hash"},
            ),
            ({"dataset": {**TABLE, "train": 101}}, {"/dataset/train"}),
            ({"architecture": "vgg_small"}, {"/architecture/name"}),
            ({"augmentation": {"rotation": 5}}, {"/augmentation"}),
        ],
    )
    def test_what_does_not_go_with_a_table(
        self, service: Service, change: dict[str, Any], pointers: set[str]
    ) -> None:
        says(service, NUMBERS)
        spec = {"dataset": TABLE, "architecture": "linear", "loss": "l2", **change}
        assert set(service.faults(spec)) == pointers

    def test_what_the_desk_finds_comes_with_everything_else(self, service: Service) -> None:
        fault = {"pointer": "/dataset/target", "detail": "'price' is no column of houses.csv"}
        service.sidecar.respond = lambda _: {"ok": False, "faults": [fault]}
        spec = {"dataset": TABLE, "architecture": "linear", "loss": "l2", "seed": -1}
        assert set(service.faults(spec)) == {"/dataset/target", "/seed"}

    def test_the_tables_on_the_box_are_listed(self, service: Service) -> None:
        directory = service.settings.home / "data" / "table"
        directory.mkdir(parents=True)
        for name in ("b.parquet", "a.csv", "notes.txt"):
            (directory / name).touch()
        shown = service.client.get("/v1/datasets/table").json()
        assert shown["files"] == ["a.csv", "b.parquet"]
        assert shown["is_available"]

    def test_a_table_has_no_preview(self, service: Service) -> None:
        answer = service.post("/v1/augmentation/preview", {"dataset": TABLE})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/dataset/name"


def test_nobody_is_asked_without_a_table() -> None:
    with pytest.raises(AssertionError):
        no_sidecar({})
