"""4. Retry a job: a new job resumes from the last checkpoint of the old job."""

from tests.fundamentals.conftest import Box

SPEC = {
    "dataset": "digits",
    "architecture": "mlp",
    "training": {"epochs": 30, "batch_size": 4},
}


def test_retry_trains_only_the_epochs_that_are_left(box: Box) -> None:
    job = box.submit(SPEC)
    box.wait_for_epoch(job["id"], 2)
    box.http.post(f"/v1/jobs/{job['id']}/cancel")
    box.wait(job["id"])

    response = box.http.post(f"/v1/jobs/{job['id']}/retry")
    assert response.status_code == 202
    retry = response.json()
    assert retry["id"] != job["id"]
    assert retry["retry_of"] == job["id"]

    epochs = [
        event["data"]["epoch"] for event in box.follow(retry["id"]) if event.get("type") == "epoch"
    ]
    assert epochs[0] > 1, "the first epochs are not trained again"
    assert epochs[-1] == 30
    assert box.job(retry["id"])["state"] == "succeeded"
