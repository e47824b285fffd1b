"""8. Fine-tune: begin with the weights of another job, first the head, then everything."""

from tests.fundamentals.conftest import Box


def test_fine_tuning_trains_its_stages_in_order(box: Box) -> None:
    origin = box.submit({"dataset": "digits", "architecture": "mlp", "training": {"epochs": 3}})
    box.wait(origin["id"])

    job = box.submit(
        {
            "dataset": "digits",
            "architecture": "mlp",
            "fine_tuning": {
                "weights": {"job": origin["id"], "checkpoint": "best_val_accuracy"},
                "head": {"hidden_units": [32], "dropout": 0.1},
                "stages": [
                    {"name": "warm_up", "train": "head", "epochs": 1},
                    {"name": "fine_tune", "train": "all", "epochs": 2},
                ],
            },
        }
    )
    events = list(box.follow(job["id"]))

    stages = [event["data"] for event in events if event.get("type") == "stage"]
    assert [stage["stage"] for stage in stages] == ["warm_up", "fine_tune"]
    assert stages[0]["trainable_parameters"] < stages[1]["trainable_parameters"]
    assert box.job(job["id"])["state"] == "succeeded"
