"""Predictions for a data set: what is sent to the sidecar, progress, and the artifact."""

import hashlib
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from shared import tables, uploaded_datasets
from shared.clock import now
from shared.ids import new_id
from shared.jobs import queries
from shared.jobs.attempts import Lease
from shared.uploaded_datasets import DatasetRow
from tests.api.service import Service

CONTENT = b"sample,name,label\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
COMPLETE = {"ok": True, "samples": 5, "done": 5, "bytes": len(CONTENT), "sha256": SHA256}
HASH = f"sha256:{'9' * 64}"
UPLOADED = {"content_hash": HASH, "image_size": 8, "channels": 1, "resize": None}


def post(service: Service, lease: Lease, body: Any) -> httpx.Response:
    return service.client.post(f"/v1/jobs/{lease.job_id}/predictions", json=body)


def sent(service: Service) -> dict[str, Any]:
    return [r for r in service.sidecar.requests if r["operation"] == "predict_dataset"][-1]


@pytest.fixture(autouse=True)
def _sidecar(service: Service, lease: Lease) -> None:
    service.sidecar.respond = lambda _: {"ok": True, "samples": 5, "done": 2}


@pytest.fixture
def _flowers(service: Service) -> None:
    """Store an upload with splits of its own."""
    classes = [
        {"name": n, "images": 50, "train": 30, "validation": 10, "test": 10} for n in ("a", "b")
    ]
    sizes = {"min": [9, 9], "median": [9, 9], "max": [9, 9]}
    report = {"kind": "images", "task": "classification", "images": 100, "classes": classes}
    report |= {"image_sizes": sizes, "channels": 3, "mean": [0.5] * 3, "std": [0.2] * 3}
    row = DatasetRow(
        id=new_id("ds"),
        owner="admin",
        name="flowers",
        version=1,
        bytes=5,
        skip_bad=False,
        target=None,
        path=None,
        state="ready",
        attempts=1,
        content_hash=HASH,
        report={**report, "warnings": [], "rejected": []},
        created_at=now(),
    )
    with service.database.write() as connection:
        uploaded_datasets.add(connection, row)


def test_own_data_set_is_predicted_on_the_job_s_test_split(service: Service, lease: Lease) -> None:
    response = post(service, lease, {"dataset": "digits"})
    assert response.status_code == 202, response.text
    assert response.json() == {
        "object": "dataset_predictions",
        "checkpoint": "best_val_loss",
        "dataset": "digits",
        "split": "test",
        "samples": 5,
        "done": 2,
        "artifact": None,
    }
    request = sent(service)
    job = service.job(lease.job_id)
    assert (request["split"], request["range"], request["seed"]) == ("test", None, 0)
    assert request["dataset"] == job["spec"]["dataset"]
    name = "predictions-digits-test-best_val_loss.csv"
    assert request["file"] == f"{lease.job_id}/results/{name}"


def test_whole_data_set_is_a_range_of_it(service: Service, lease: Lease) -> None:
    assert post(service, lease, {"dataset": "digits", "split": "all"}).status_code == 202
    assert sent(service)["range"] == [0, 1797]


@pytest.mark.usefixtures("_flowers")
@pytest.mark.parametrize(
    ("split", "expected"),
    [(None, [0, 100]), ("train", [0, 60]), ("validation", [60, 80]), ("test", [80, 100])],
)
def test_splits_of_another_data_set_are_its_own(
    service: Service, lease: Lease, split: str | None, expected: list[int]
) -> None:
    body = {"dataset": "flowers"} | ({} if split is None else {"split": split})
    response = post(service, lease, body)
    assert response.status_code == 202, response.text
    assert sent(service)["range"] == expected
    assert sent(service)["dataset"] == {"name": "flowers@1", **UPLOADED}


def test_complete_file_is_an_artifact_once(service: Service, lease: Lease) -> None:
    service.sidecar.respond = lambda _: COMPLETE
    directory = service.storage.results(lease.job_id)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "predictions-digits-test-best_val_loss.csv").write_bytes(CONTENT)
    first, second = (post(service, lease, {"dataset": "digits"}) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    artifact = first.json()["artifact"]
    assert second.json()["artifact"] == artifact
    assert service.client.get(artifact["download"]).content == CONTENT
    listed = service.client.get(f"/v1/jobs/{lease.job_id}/artifacts").json()["data"]
    assert listed == [artifact]
    service.sidecar.respond = lambda _: {**COMPLETE, "sha256": "0" * 64}
    replaced = post(service, lease, {"dataset": "digits"}).json()["artifact"]
    listed = service.client.get(f"/v1/jobs/{lease.job_id}/artifacts").json()["data"]
    assert listed == [replaced]
    assert replaced["id"] != artifact["id"]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"dataset": 5}, 422, "it must be the name of a data set"),
        ({"dataset": "digit"}, 422, "Did you mean `digits`?"),
        ({"dataset": "digits", "split": "tset"}, 422, "must be train, validation, test or all"),
        ({"dataset": "digits", "split": ["a"]}, 422, "must be train, validation, test or all"),
        ({"dataset": "digits", "rows": []}, 400, '{"dataset": name, "split": name}'),
        ({"dataset": "synthetic"}, 422, "made for each job"),
        ({"dataset": "table"}, 422, "is a table"),
        ({"dataset": "cifar10"}, 409, "not on this box"),
        ({"dataset": "\x1b[31m"}, 422, "is not a dataset"),
    ],
)
def test_bad_bodies_do_not_reach_the_sidecar(
    service: Service, lease: Lease, body: Any, status: int, text: str
) -> None:
    count = len(service.sidecar.requests)
    response = post(service, lease, body)
    assert response.status_code == status, response.text
    assert text in str(response.json())
    assert len(service.sidecar.requests) == count


def test_job_of_a_table_predicts_its_own_table_only(service: Service, lease: Lease) -> None:
    with service.database.write() as connection:
        job = queries.get_job(connection, lease.job_id)
        assert job is not None
        dataset = {"name": "table", "file": "a.csv", "features": ["x"], "target": "y"}
        of_job = tables.jobs.c.id == lease.job_id
        spec = {**job.spec, "dataset": dataset}
        connection.execute(sa.update(tables.jobs).where(of_job).values(spec=spec))
    assert post(service, lease, {"dataset": "table"}).status_code == 202
    response = post(service, lease, {"dataset": "digits"})
    assert response.status_code == 422
    assert "send the rows" in response.json()["errors"][0]["detail"]
    assert post(service, lease, {"dataset": "table", "split": "all"}).status_code == 422


def test_data_set_that_is_gone_and_a_damaged_checkpoint_are_conflicts(
    service: Service, lease: Lease
) -> None:
    for pointer, kind in (("/dataset", "dataset-missing"), ("", "conflict")):
        fault = {"pointer": pointer, "detail": "It was deleted."}
        service.sidecar.respond = lambda _, fault=fault: {"ok": False, "faults": [fault]}
        response = post(service, lease, {"dataset": "digits"})
        assert (response.status_code, response.json()["detail"]) == (409, fault["detail"])
        assert response.json()["type"].endswith(kind)
