"""Artifacts: always attachments, whatever their name and content."""

import pytest

from shared.jobs.attempts import Lease
from shared.jobs.recording import NewArtifact
from tests.api.jobs.results.files import artifact_of
from tests.api.service import Service


@pytest.fixture
def artifact(service: Service, lease: Lease) -> NewArtifact:
    """Record an artifact with a hostile name and content."""
    row = artifact_of(service, lease, 'a"\r\nX-Evil: 1.html', "text/html", b"<script>")
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
