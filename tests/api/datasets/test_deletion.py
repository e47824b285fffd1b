"""`DELETE /v1/datasets/{name}`."""

from tests.api.datasets.recorded_checks import CONTENT, ROSES, TULIPS, files, finish, store
from tests.api.service import Service


def test_all_versions_go_with_their_files_and_decoded_images(service: Service) -> None:
    store(service)
    store(service)
    cache = service.settings.home / "cache"
    cache.mkdir(exist_ok=True)
    (cache / "flowers@1-crop-555-8x3.npy").write_bytes(b"x" * 1000)
    (cache / "flowers@10-crop-555-8x3.npy").write_bytes(b"of another version")
    deleted = service.client.delete("/v1/datasets/flowers")
    assert deleted.json()["freed_bytes"] == 2 * len(CONTENT) + 1000
    assert files(service) == []
    assert [path.name for path in cache.glob("flowers*")] == ["flowers@10-crop-555-8x3.npy"]
    assert service.client.get("/v1/datasets/flowers").status_code == 404


def test_set_that_a_job_needs_stays(service: Service) -> None:
    finish(service, store(service).json(), ROSES, TULIPS)
    job_id = service.submit(dataset="flowers")
    refused = service.client.delete("/v1/datasets/flowers")
    assert refused.status_code == 409
    assert job_id in refused.json()["detail"]
    assert [path.name for path in files(service)] == ["flowers@1"]
    service.post(f"/v1/jobs/{job_id}/cancel")
    assert service.client.delete("/v1/datasets/flowers").status_code == 200


def test_built_in_set_stays(service: Service) -> None:
    assert service.client.delete("/v1/datasets/digits").status_code == 409
