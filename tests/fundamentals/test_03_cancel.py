"""3. Cancel a job that runs."""

from tests.fundamentals.conftest import Box


def test_cancelled_job_ends_and_keeps_its_last_checkpoint(box: Box) -> None:
    job = box.submit(
        {"dataset": "digits", "architecture": "mlp", "training": {"epochs": 100_000}},
    )
    box.wait_for_epoch(job["id"], 1)

    response = box.http.post(f"/v1/jobs/{job['id']}/cancel")
    assert response.status_code == 202

    ended = box.wait(job["id"])
    assert ended["state"] == "cancelled"
    assert ended["reason"] == "cancelled_by_user"
    checkpoints = box.http.get(f"/v1/jobs/{job['id']}/checkpoints").json()["data"]
    assert "last" in {checkpoint["name"] for checkpoint in checkpoints}
    assert box.http.post(f"/v1/jobs/{job['id']}/cancel").status_code == 202, "cancel is idempotent"
