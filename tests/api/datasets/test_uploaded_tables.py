"""Tables as uploads: checked by the worker's checker, read by the sidecar, trained by name."""

from typing import Any

import numpy as np
import pytest

from shared import uploaded_datasets
from tests.api.datasets.uploads import load, upload
from tests.api.service import Service
from tests.worker.data.uploads.archives import png, zipped
from worker.data import DatasetMissing
from worker.sidecar.operations import respond

ROWS = [(size, size % 7, 3 * size + 0.5, "dear" if size > 20 else "cheap") for size in range(1, 41)]
CSV = "size,age,price,kind\n" + "".join(f"{a},{b},{c},{d}\n" for a, b, c, d in ROWS)
LINEAR = {"architecture": "linear", "training": {"epochs": 1}}


@pytest.fixture(autouse=True)
def _sidecar(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINSHED_HOME", str(service.settings.home))
    service.sidecar.respond = respond


def _upload(service: Service, content: bytes, **query: str) -> dict[str, Any]:
    return upload(service, content, "houses", **query)


def _load(service: Service, dataset: dict[str, Any], *, is_number: bool) -> Any:
    return load(service.settings.home, dataset, is_number=is_number)


def test_target_of_the_upload_is_trained_by_the_name_alone(service: Service) -> None:
    uploaded = _upload(service, CSV.encode(), target="price")
    assert (uploaded["state"], uploaded["kind"], uploaded["task"]) == (
        "ready",
        "table",
        "regression",
    )
    assert (uploaded["images"], uploaded["target"]) == (40, "price")
    assert uploaded["features"] == ["size", "age", "kind"]
    assert "`kind` holds text" in uploaded["warnings"][0]["detail"]
    dataset: dict[str, Any] = {"name": "houses", "features": ["size", "age"]}
    job = service.job(service.submit(**LINEAR, dataset=dataset))
    filled = job["spec"]["dataset"]
    assert (filled["name"], filled["target"]) == ("houses@1", "price")
    assert filled["content_hash"] == uploaded["content_hash"]
    assert job["spec"]["loss"]["name"] == "l2"
    loaded, _ = _load(service, filled, is_number=True)
    assert loaded.targets.tolist() == [price for _, _, price, _ in ROWS]
    again = service.job(service.submit(**{**LINEAR, "dataset": filled, "loss": "l2"}))
    assert again["spec"]["dataset"] == filled


def test_job_may_name_another_target(service: Service) -> None:
    _upload(service, CSV.encode(), target="price")
    dataset = {"name": "houses@1", "target": "kind", "features": ["size", "age"]}
    job = service.job(service.submit(**LINEAR, dataset=dataset))
    assert job["spec"]["loss"]["name"] == "cross_entropy"
    loaded, indices = _load(service, job["spec"]["dataset"], is_number=False)
    assert loaded.class_names == ("cheap", "dear")
    assert np.bincount(loaded.labels[indices.test]).tolist() == [3, 3]


def test_last_column_is_the_default_target(service: Service) -> None:
    uploaded = _upload(service, CSV.encode())
    assert (uploaded["task"], uploaded["target"]) == ("classification", "kind")
    assert [c["name"] for c in uploaded["classes"]] == ["cheap", "dear"]
    job = service.job(service.submit(**LINEAR, dataset="houses"))
    assert job["spec"]["dataset"]["features"] == ["size", "age", "price"]
    listed = service.client.get("/v1/datasets", params={"limit": 100}).json()["data"]
    assert uploaded in listed


@pytest.mark.parametrize(
    ("changes", "pointer", "detail"),
    [
        ({"dataset": {"name": "houses", "file": "a.csv"}}, "/dataset/file", "is an upload"),
        ({"dataset": {"name": "houses", "target": "prize"}}, "/dataset/target", "`price`"),
        ({"dataset": {"name": "houses", "image_size": 32}}, "/dataset/image_size", "has rows"),
        ({"dataset": "houses", "architecture": "vgg_small"}, "/architecture/name", "takes images"),
        ({"dataset": "houses", "augmentation": {"rotation": 5}}, "/augmentation", "for images"),
        ({"dataset": {"name": "houses", "train": 50}}, "/dataset/train", "at most 40"),
        (
            {"dataset": {"name": "houses", "content_hash": f"sha256:{'0' * 64}"}},
            "/dataset/content_hash",
            "is not the hash of houses@1",
        ),
    ],
)
def test_faults_are_those_of_any_table(
    service: Service, changes: dict[str, Any], pointer: str, detail: str
) -> None:
    _upload(service, CSV.encode())
    assert detail in service.faults({**LINEAR, **changes})[pointer]


def test_target_that_is_no_column_rejects_the_upload(service: Service) -> None:
    uploaded = _upload(service, CSV.encode(), target="prise")
    assert uploaded["state"] == "rejected"
    assert "Did you mean `price`?" in uploaded["rejected"][0]["detail"]


def test_target_of_images_rejects_the_upload(service: Service, tmp_path: Any) -> None:
    path = zipped(tmp_path / "a.zip", {"a/1.png": png(1), "b/1.png": png(2)})
    uploaded = _upload(service, path.read_bytes(), target="price")
    assert uploaded["state"] == "rejected"
    assert "`target` is for tables" in uploaded["rejected"][0]["detail"]


@pytest.mark.parametrize("target", ["", "a\u202eb", "x" * 201])
def test_target_that_no_column_can_have_is_refused(service: Service, target: str) -> None:
    response = service.client.post(
        "/v1/datasets",
        params={"name": "houses", "target": target},
        content=b"x",
        headers={"Content-Type": "application/octet-stream"},
    )
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/query/target"


def test_table_that_was_edited_or_deleted_is_missing(service: Service) -> None:
    uploaded = _upload(service, CSV.encode())
    filled = service.job(service.submit(**LINEAR, dataset="houses"))["spec"]["dataset"]
    path = uploaded_datasets.file(service.settings.home, f"houses@{uploaded['version']}")
    path.write_text(CSV.replace("0.5", "1.5"))
    assert "has changed" in service.faults({**LINEAR, "dataset": "houses"})["/dataset/name"]
    with pytest.raises(DatasetMissing, match="has changed"):
        _load(service, filled, is_number=False)
    path.unlink()
    with pytest.raises(DatasetMissing, match="was deleted"):
        _load(service, filled, is_number=False)
