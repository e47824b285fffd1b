"""The export of a checkpoint: the file that the sidecar has made, or its reason."""

from typing import Any

import pytest

from shared.jobs.attempts import Lease
from shared.storage import WEIGHTS
from tests.api.jobs.results.files import CONTENT, SHA256
from tests.api.service import Service


@pytest.fixture
def address(service: Service, lease: Lease) -> str:
    """Return the address of the exported best checkpoint, which the sidecar has made."""
    directory = f"{lease.job_id}/1/step-10"
    (service.storage.root / directory / "network.onnx").write_bytes(CONTENT)
    answer = {"ok": True, "file": f"{directory}/network.onnx", "largest_difference": 2e-07}
    answer |= {"bytes": len(CONTENT), "sha256": SHA256}
    service.sidecar.respond = lambda _: answer
    return f"/v1/jobs/{lease.job_id}/checkpoints/best_val_loss/export"


def refuse(_: dict[str, Any]) -> dict[str, Any]:
    return {"ok": False, "faults": [{"pointer": "", "detail": "ONNX lacks the operation."}]}


def test_file_is_sent_with_its_difference_from_the_network(
    service: Service, lease: Lease, address: str
) -> None:
    response = service.client.get(address, params={"format": "onnx"})
    assert response.content == CONTENT
    assert response.headers["etag"] == f'"{SHA256}"'
    assert float(response.headers["largest-difference"]) == 2e-07
    name = f"{lease.job_id}-best_val_loss.onnx"
    assert name in response.headers["content-disposition"]
    request = service.sidecar.requests[-1]
    assert request["weights"] == f"{lease.job_id}/1/step-10/{WEIGHTS}"
    assert (request["operation"], request["sha256"]) == ("export", SHA256)


def test_ranges_and_head(service: Service, address: str) -> None:
    part = service.client.get(address, headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, CONTENT[4:8])
    assert float(part.headers["largest-difference"]) == 2e-07
    assert service.client.head(address).headers["content-length"] == str(len(CONTENT))


def test_network_that_cannot_be_exported_is_a_conflict_with_the_reason(
    service: Service, address: str
) -> None:
    service.sidecar.respond = refuse
    response = service.client.get(address)
    assert (response.status_code, response.json()["detail"]) == (409, "ONNX lacks the operation.")


def test_busy_sidecar_is_unavailable(service: Service, address: str) -> None:
    service.sidecar.respond = lambda _: {"ok": False, "busy": "Try again."}
    response = service.client.get(address)
    assert (response.status_code, "retry-after" in response.headers) == (503, True)


def test_unknown_checkpoints_formats_and_jobs_do_not_reach_the_sidecar(
    service: Service, lease: Lease, address: str
) -> None:
    asked = len(service.sidecar.requests)
    response = service.client.get(address.replace("best_val_loss", "best"))
    assert response.status_code == 404
    assert "best_val_loss" in response.json()["detail"]
    assert service.client.get(address, params={"format": "tflite"}).status_code == 422
    assert service.client.get(address.replace(lease.job_id, "job_x")).status_code in {404, 422}
    (service.storage.attempt(lease.job_id, 1) / "step-10" / WEIGHTS).unlink()
    assert service.client.get(address).status_code == 404
    assert len(service.sidecar.requests) == asked


def test_file_that_was_damaged_since_is_not_sent(
    service: Service, lease: Lease, address: str
) -> None:
    file = service.storage.attempt(lease.job_id, 1) / "step-10" / "network.onnx"
    file.write_bytes(CONTENT[:-1] + b"\0")
    response = service.client.get(address)
    assert response.status_code == 500
    assert "damaged" in response.json()["detail"]
