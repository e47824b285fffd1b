"""Artifacts: always attachments, whatever their name and content."""

import pytest

from shared.ids import new_id
from shared.jobs.attempts import Lease
from shared.jobs.recording import NewArtifact
from shared.storage import sha256_of_file
from tests.api.service import RECORDED_AT, Service


@pytest.fixture
def artifact(service: Service, lease: Lease) -> NewArtifact:
    """Record an artifact with a hostile name and content."""
    path = service.storage.results(lease.job_id) / "page.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("<script>")
    row = NewArtifact(
        id=new_id("artifact"),
        name='a"\r\nX-Evil: 1.html',
        path=service.storage.relative(path),
        media_type="text/html",
        bytes=8,
        sha256=sha256_of_file(path),
        created_at=RECORDED_AT,
    )
    service.record(lease, artifacts=[row])
    return row


def test_artifact_is_listed_and_downloaded_as_an_attachment(
    service: Service, lease: Lease, artifact: NewArtifact
) -> None:
    listed = service.client.get(f"/v1/jobs/{lease.job_id}/artifacts").json()["data"]
    assert [entry["name"] for entry in listed] == [artifact.name]
    response = service.client.get(listed[0]["download"])
    assert response.text == "<script>"
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"].startswith("attachment")
    assert "x-evil" not in response.headers


def test_conditional_requests_and_ranges(
    service: Service, lease: Lease, artifact: NewArtifact
) -> None:
    address = f"/v1/jobs/{lease.job_id}/artifacts/{artifact.id}/download"
    current = {"If-None-Match": f'"{artifact.sha256}"'}
    assert service.client.get(address, headers=current).status_code == 304
    assert service.client.head(address).headers["content-length"] == "8"
    outside = service.client.get(address, headers={"Range": "bytes=8-"})
    assert outside.status_code == 416
    assert outside.headers["content-range"] == "bytes */8"


def test_unknown_artifact_is_not_found(service: Service, lease: Lease) -> None:
    response = service.client.get(f"/v1/jobs/{lease.job_id}/artifacts/another/download")
    assert response.status_code == 404
