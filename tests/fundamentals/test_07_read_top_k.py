"""7. Read the results on the test split: top-k, accuracy by class, confusion."""

from tests.fundamentals.conftest import Box


def test_results_show_what_the_network_predicts(box: Box) -> None:
    job = box.submit({"dataset": "digits", "architecture": "mlp", "training": {"epochs": 3}})
    box.wait(job["id"])

    top_k = box.http.get(f"/v1/jobs/{job['id']}/top-k", params={"limit": 2}).json()
    best = top_k["checkpoints"][0]
    assert best["name"] == "best_val_loss"
    assert best["top_k"]["1"] <= best["top_k"]["5"]
    assert len(best["per_class"]) == 10
    sample = top_k["samples"]["data"][0]
    probabilities = [prediction["probability"] for prediction in sample["classes"]]
    assert probabilities == sorted(probabilities, reverse=True)

    confusion = box.http.get(f"/v1/jobs/{job['id']}/confusion").json()
    matrix = confusion["matrix"]
    correct = sum(matrix[label][label] for label in range(10))
    assert correct / sum(map(sum, matrix)) == best["accuracy"]
