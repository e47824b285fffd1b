"""1. Submit a job and follow it to its end."""

from tests.fundamentals.conftest import Box


def test_submitted_job_reports_events_until_it_has_succeeded(box: Box) -> None:
    """Only `dataset` and `architecture` are required; everything else has a default."""
    job = box.submit(
        {"dataset": "digits", "architecture": "mlp", "training": {"epochs": 2}},
    )
    assert job["state"] == "queued"
    assert job["spec"]["optimizer"]["name"] == "sgd", "the answer shows the defaults"

    events = list(box.follow(job["id"]))

    states = [event["data"]["state"] for event in events if event.get("type") == "state"]
    assert states == ["queued", "running", "succeeded"]
    epochs = [event["data"]["epoch"] for event in events if event.get("type") == "epoch"]
    assert epochs == [1, 2]
    assert box.job(job["id"])["metrics"]["test_accuracy"] > 0.5
