"""Downloads of files that no longer have the content that was written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared import storage
from shared.ids import new_id
from shared.jobs.attempts import Lease
from shared.jobs.recording import NewArtifact
from shared.storage import WEIGHTS
from tests.api.jobs.results.files import CONTENT, SHA256, evaluate
from tests.api.service import RECORDED_AT, Service


def truncate(path: Path) -> None:
    path.write_bytes(CONTENT[:-1])


def flip_byte(path: Path) -> None:
    path.write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))


DAMAGES = pytest.mark.parametrize("damage", [truncate, flip_byte])
Damage = Callable[[Path], None]


def weights_file(service: Service, lease: Lease) -> Path:
    return service.storage.attempt(lease.job_id, 1) / "step-30" / WEIGHTS


@DAMAGES
def test_a_damaged_checkpoint_is_a_problem_that_says_so(
    service: Service, lease: Lease, damage: Damage
) -> None:
    address = f"/v1/jobs/{lease.job_id}/checkpoints/last/download"
    assert service.client.get(address).content == CONTENT
    damage(weights_file(service, lease))
    for headers in ({}, {"Range": "bytes=0-9"}, {"If-None-Match": '"another"'}):
        response = service.client.get(address, headers=headers)
        assert response.status_code == 500
        assert response.headers["content-type"] == "application/problem+json"
        assert "etag" not in response.headers
        problem = response.json()
        assert problem["type"].endswith("damaged-file")
        assert "damaged" in problem["detail"]
        assert str(service.settings.home) not in response.text
    assert service.client.head(address).status_code == 500


@DAMAGES
def test_a_damaged_artifact_is_a_problem_that_says_so(
    service: Service, lease: Lease, damage: Damage
) -> None:
    path = service.storage.results(lease.job_id) / "predictions.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENT)
    row = NewArtifact(
        id=new_id("artifact"),
        name=path.name,
        path=service.storage.relative(path),
        media_type="text/csv",
        bytes=len(CONTENT),
        sha256=SHA256,
        created_at=RECORDED_AT,
    )
    service.record(lease, artifacts=[row])
    address = f"/v1/jobs/{lease.job_id}/artifacts/{path.name}/download"
    assert service.client.get(address).content == CONTENT
    damage(path)
    response = service.client.get(address)
    assert response.status_code == 500
    assert "'predictions.csv' is damaged" in response.json()["detail"]


def test_other_checkpoints_of_the_job_can_be_downloaded(service: Service, lease: Lease) -> None:
    flip_byte(weights_file(service, lease))
    address = f"/v1/jobs/{lease.job_id}/checkpoints/best_val_loss/download"
    assert service.client.get(address).content == CONTENT


def test_a_restored_file_can_be_downloaded_again(service: Service, lease: Lease) -> None:
    path = weights_file(service, lease)
    address = f"/v1/jobs/{lease.job_id}/checkpoints/last/download"
    flip_byte(path)
    assert service.client.get(address).status_code == 500
    backup = path.with_name("backup")
    backup.write_bytes(CONTENT)
    backup.replace(path)
    assert service.client.get(address).content == CONTENT


def test_an_unchanged_file_is_hashed_once(
    service: Service, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Path] = []

    def digest(path: Path) -> str:
        hashed.append(path)
        return SHA256

    monkeypatch.setattr(storage, "sha256_of_file", digest)
    address = f"/v1/jobs/{lease.job_id}/checkpoints/last/download"
    for first in range(5):
        headers = {"Range": f"bytes={first}-"}
        assert service.client.get(address, headers=headers).status_code == 206
    assert hashed == [weights_file(service, lease)]


@pytest.mark.parametrize("size", [0, 5, 100])
def test_truncated_predictions_are_a_problem_that_says_so(
    service: Service, lease: Lease, size: int
) -> None:
    evaluate(service, lease)
    path = service.storage.results(lease.job_id) / "last.bin"
    path.write_bytes(path.read_bytes()[:size])
    address = f"/v1/jobs/{lease.job_id}/top-k"
    for query in ({}, {"sample": 100}):
        response = service.client.get(address, params={"checkpoint": "last", **query})
        assert response.status_code == 500
        assert "predictions of checkpoint last are damaged" in response.json()["detail"]
    assert service.client.get(address, params={"checkpoint": "best_val_loss"}).status_code == 200
