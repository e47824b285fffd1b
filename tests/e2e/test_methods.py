"""Methods on a real box: fine-tuning, augmentation, regression and every method of small slots."""

import io
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shared import catalog
from tests.e2e.conftest import TIMEOUT_SECONDS, EmbeddedBox
from trainshed import ApiError, Client

pytestmark = pytest.mark.e2e

NETWORK = {"name": "vgg_small", "widths": [8, 16], "hidden_units": [32]}
DATA = {"name": "digits", "image_size": 16, "train": 256, "validation": 64, "test": 64}
SPEC: dict[str, Any] = {
    "dataset": DATA,
    "architecture": NETWORK,
    "training": {"epochs": 2, "batch_size": 32},
}
STAGES = [
    {"name": "warm_up", "train": "head", "epochs": 1, "optimizer": {"name": "adam"}},
    {"name": "fine_tune", "train": "all", "epochs": 1},
]


def _finished(client: Client, spec: dict[str, Any]) -> dict[str, Any]:
    job = client.wait(client.submit(spec)["id"], timeout_seconds=TIMEOUT_SECONDS)
    assert job["state"] == "succeeded", job["failure"]
    return job


def _tuned(weights: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:
    tuning = {"weights": weights, "head": {"hidden_units": [16]}, "stages": STAGES}
    return {"dataset": DATA, "architecture": NETWORK, "fine_tuning": tuning, **changes}


@pytest.fixture(scope="module")
def trained(box: EmbeddedBox) -> dict[str, Any]:
    with box.client() as client:
        return _finished(client, SPEC)


class TestFineTuning:
    def test_weights_of_a_job_and_its_uploaded_checkpoint_give_the_same_result(
        self, box: EmbeddedBox, trained: dict[str, Any], tmp_path: Path
    ) -> None:
        with box.client() as client:
            weights = {"job": trained["id"], "checkpoint": "best_val_accuracy"}
            from_job = _finished(client, _tuned(weights))
            file = client.download(trained["id"], "best_val_accuracy", tmp_path)
            upload = client.upload_weights(file)
            from_upload = _finished(client, _tuned({"upload": upload["id"]}))
            stages = [
                event["data"] for event in client.events(from_job["id"]) if event["type"] == "stage"
            ]
            checkpoints = client.checkpoints(from_job["id"])
            series = client.metrics(from_job["id"], name="train_loss")
        assert [stage["stage"] for stage in stages] == ["warm_up", "fine_tune"]
        assert stages[0]["trainable_parameters"] < stages[1]["trainable_parameters"]
        assert {"epoch_1", "epoch_2"} <= {checkpoint["name"] for checkpoint in checkpoints}, (
            "the end of each stage"
        )
        assert [metric["stage"] for metric in series] == ["warm_up", "fine_tune"]
        assert from_job["result"]["test"] == {
            name: {**metrics, "checkpoint": from_job["result"]["test"][name]["checkpoint"]}
            for name, metrics in from_upload["result"]["test"].items()
        }

    @pytest.mark.long
    def test_fine_tuning_from_pretrained_weights(self, box: EmbeddedBox) -> None:
        data = {**DATA, "image_size": 32, "channels": 3, "train": 64, "validation": 16, "test": 16}
        spec = _tuned({"pretrained": "efficientnet_lite0"}, dataset=data)
        spec["architecture"] = "efficientnet_lite0"
        spec["fine_tuning"]["stages"] = [{"name": "head", "train": "head", "epochs": 1}]
        with box.client() as client:
            checked = client.validate(spec)
            job = _finished(client, spec)
        assert checked["spec"]["dataset"]["normalization"] == "of_weights"
        assert checked["parameter_count"]["trainable"] > 3_000_000
        assert [*job["result"]["stages"]] == ["head"]
        assert job["result"]["stages"]["head"]["reason"] == "epochs"

    @pytest.mark.parametrize(
        ("change", "other_pointers"),
        [
            ({"architecture": "mlp"}, []),
            ({"architecture": {**NETWORK, "widths": [8, 8]}}, []),
            ({"dataset": {**DATA, "channels": 3}}, ["/dataset/channels"]),
        ],
    )
    def test_weights_of_another_network_are_refused_at_submission(
        self,
        box: EmbeddedBox,
        trained: dict[str, Any],
        change: dict[str, Any],
        other_pointers: list[str],
    ) -> None:
        with box.client() as client, pytest.raises(ApiError) as refused:
            client.submit(_tuned({"job": trained["id"]}, **change))
        faults = {fault["pointer"]: fault["detail"] for fault in refused.value.faults}
        assert [*faults] == [*other_pointers, "/fine_tuning/weights"]
        assert "another network" in faults["/fine_tuning/weights"]

    def test_a_stage_from_an_unknown_layer_is_refused_with_the_layers(
        self, box: EmbeddedBox
    ) -> None:
        spec = _tuned(None)
        spec["fine_tuning"]["stages"] = [{"name": "a", "train": {"from": "block7"}, "epochs": 1}]
        with box.client() as client, pytest.raises(ApiError) as refused:
            client.submit(spec)
        (fault,) = refused.value.faults
        assert fault["pointer"] == "/fine_tuning/stages/0/train/from"
        assert "block2" in fault["detail"]


def test_an_augmentation_can_be_previewed_and_trained_with(box: EmbeddedBox) -> None:
    augmentation = {"rotation": 15, "width_shift": 0.1, "zoom": 0.1, "brightness": [0.8, 1.2]}
    body = {"dataset": {"name": "digits"}, "augmentation": augmentation, "count": 4}
    with box.client() as client:
        answer = client.http.post("/v1/augmentation/preview", json=body)
        job = _finished(client, {**SPEC, "augmentation": augmentation})
    picture = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert picture.shape[2] == 3
    half = len(picture) // 2
    assert not np.array_equal(picture[:half], picture[-half:])
    assert job["spec"]["augmentation"]["brightness"] == {"factors": [0.8, 1.2]}


@pytest.mark.long
class TestRegression:
    def test_the_angle_of_a_digit_is_learned(self, box: EmbeddedBox) -> None:
        data = {"name": "digits", "target": "rotation", "image_size": 16}
        spec = {
            "dataset": data,
            "architecture": {"name": "mlp", "hidden_units": [64]},
            "optimizer": {"name": "adam", "learning_rate": 0.003},
            "training": {"epochs": 8},
        }
        with box.client() as client:
            job = _finished(client, spec)
            with pytest.raises(ApiError) as refused:
                client.top_k(job["id"])
            artifacts = client.http.get(f"/v1/jobs/{job['id']}/artifacts").json()["data"]
            table = client.http.get(
                f"/v1/jobs/{job['id']}/artifacts/predictions-best_val_loss.csv/download"
            )
        assert refused.value.status == 409
        assert "regression job" in str(refused.value)
        assert {"predictions-last.csv", "predictions-best_val_loss.csv"} <= {
            artifact["name"] for artifact in artifacts
        }
        targets, predictions = np.loadtxt(
            io.StringIO(table.text), delimiter=",", skiprows=1, usecols=(1, 2)
        ).T
        metrics = job["result"]["test"]["best_val_loss"]
        errors = targets - predictions
        assert metrics["mean_absolute_error"] == pytest.approx(np.abs(errors).mean(), rel=1e-4)
        assert metrics["loss"] == pytest.approx(np.square(errors).mean(), rel=1e-4)
        # Predicting the mean angle has an error of 0.5 on average, and an r2 of 0.
        assert metrics["mean_absolute_error"] < 0.35
        assert metrics["r2"] > 0.4
        assert job["metrics"]["test_r2"] == metrics["r2"]

    def test_a_table_s_columns_are_regression_and_classification_targets(
        self, box: EmbeddedBox
    ) -> None:
        generator = np.random.default_rng(0)
        rows = generator.normal(size=(200, 2))
        price = 3 * rows[:, 0] - rows[:, 1] + 10
        directory = box.home / "data" / "table"
        directory.mkdir(parents=True)
        lines = ["size,age,price,dear"]
        lines += [
            f"{a},{b},{c},{'yes' if c > 10 else 'no'}"
            for (a, b), c in zip(rows, price, strict=True)
        ]
        (directory / "houses.csv").write_text("\n".join(lines))
        table = {"name": "table", "file": "houses.csv", "features": ["size", "age"]}
        spec = {"architecture": "linear", "training": {"epochs": 20}}
        with box.client() as client:
            number = _finished(
                client, {**spec, "dataset": {**table, "target": "price"}, "loss": "l2"}
            )
            classes = _finished(
                client, {**spec, "dataset": {**table, "target": "dear"}, "loss": "logistic"}
            )
            with pytest.raises(ApiError) as refused:
                client.submit({**spec, "dataset": {**table, "target": "cost"}})
            matrix = client.http.get(f"/v1/jobs/{classes['id']}/confusion").json()
        assert number["metrics"]["test_r2"] > 0.95
        assert classes["metrics"]["test_accuracy"] > 0.9
        assert matrix["classes"] == ["no", "yes"]
        assert [fault["pointer"] for fault in refused.value.faults] == ["/dataset/target"]


def test_a_sample_of_the_methods_of_the_small_slots_trains(box: EmbeddedBox) -> None:
    _train_all(box, _specs_of_small_slots()[:2])


@pytest.mark.long
def test_every_method_of_the_small_slots_trains(box: EmbeddedBox) -> None:
    specs = _specs_of_small_slots()
    assert len(specs) > 15
    _train_all(box, specs)


def _specs_of_small_slots() -> list[dict[str, Any]]:
    """Return specifications with one method of every slot. Networks are tested elsewhere."""
    entries = catalog.load()
    small = {**SPEC, "dataset": {**DATA, "train": 64, "validation": 32, "test": 32}}
    small["training"] = {"epochs": 1, "batch_size": 32}
    numbers = {**small["dataset"], "target": "rotation"}
    slots = ("initializers", "regularizers", "augmentations", "optimizers", "schedules")
    specs = [
        {
            "initializer": initializer or "he_normal",
            "regularizers": {regularizer: True} if regularizer else {},
            "augmentation": {augmentation: True} if augmentation else {},
            "optimizer": {
                "name": optimizer or "sgd",
                "learning_rate": 0.001,
                "schedule": schedule or "constant",
            },
        }
        for initializer, regularizer, augmentation, optimizer, schedule in zip_longest(
            *(entries[slot] for slot in slots)
        )
    ]
    specs += [
        {"loss": name, **({"dataset": numbers} if loss.get("target") else {})}
        for name, loss in entries["losses"].items()
        if "classes" not in loss  # `logistic`, for two classes, is tested above
    ]
    return [{**small, **methods} for methods in specs]


def _train_all(box: EmbeddedBox, specs: list[dict[str, Any]]) -> None:
    with box.client() as client:
        jobs = [client.submit(spec)["id"] for spec in specs]
        ended = [client.wait(job_id, timeout_seconds=TIMEOUT_SECONDS) for job_id in jobs]
    failed = [
        (spec, job["failure"])
        for spec, job in zip(specs, ended, strict=True)
        if job["state"] != "succeeded"
    ]
    assert not failed
