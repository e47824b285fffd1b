"""Top-k accuracies and predicted samples."""

import math

from shared import predictions
from shared.jobs.attempts import Lease
from shared.predictions import Prediction
from tests.api.jobs.results.files import evaluate
from tests.api.service import Service


def test_response_has_all_accuracies_and_the_samples_of_the_best_checkpoint(
    service: Service, lease: Lease
) -> None:
    evaluate(service, lease)
    top_k = service.client.get(f"/v1/jobs/{lease.job_id}/top-k", params={"limit": 2}).json()
    names = [checkpoint["name"] for checkpoint in top_k["checkpoints"]]
    assert names == ["best_val_loss", "last"]
    assert top_k["checkpoints"][0]["top_k"] == {"1": 0.9, "2": 1.0}
    samples = top_k["samples"]
    assert samples["has_more"]
    assert samples["checkpoint"] == top_k["checkpoints"][0]["checkpoint"]
    assert samples["data"][0] == {
        "sample": 100,
        "label": 0,
        "label_name": "cat",
        "right": True,
        "classes": [
            {"class": 0, "name": "cat", "probability": 0.75},
            {"class": 1, "name": "dog", "probability": 0.25},
        ],
    }


def test_samples_by_index_and_by_page(service: Service, lease: Lease) -> None:
    evaluate(service, lease)
    address = f"/v1/jobs/{lease.job_id}/top-k"
    by_index = service.client.get(address, params={"sample": [129, 105]}).json()["samples"]
    assert [sample["sample"] for sample in by_index["data"]] == [105, 129]
    page = service.client.get(address, params={"after": 28}).json()["samples"]
    assert [sample["sample"] for sample in page["data"]] == [128, 129]
    params = {"checkpoint": "last", "limit": 1}
    last = service.client.get(address, params=params).json()["samples"]
    assert last["data"][0]["right"] is False
    assert service.client.get(address, params={"checkpoint": "epoch_2"}).status_code == 404


def test_samples_by_index_ignore_the_page(service: Service, lease: Lease) -> None:
    evaluate(service, lease)
    address = f"/v1/jobs/{lease.job_id}/top-k"
    params = {"sample": list(range(100, 130)), "limit": 1, "after": 7}
    samples = service.client.get(address, params=params).json()["samples"]
    assert [sample["sample"] for sample in samples["data"]] == params["sample"]
    assert samples["has_more"] is False


def test_error_names_the_samples_that_the_test_split_does_not_contain(
    service: Service, lease: Lease
) -> None:
    evaluate(service, lease)
    address = f"/v1/jobs/{lease.job_id}/top-k"
    response = service.client.get(address, params={"sample": [105, 131, 7]})
    assert response.status_code == 404
    assert response.json()["samples"] == [7, 131]
    assert "7, 131" in response.json()["detail"]


def test_sample_with_scores_that_are_not_finite_is_wrong(service: Service, lease: Lease) -> None:
    evaluate(service, lease)
    samples = [Prediction(0, 0, (0, 1), (math.nan, math.nan))]
    predictions.write(service.storage.results(lease.job_id) / "last.bin", samples)
    address = f"/v1/jobs/{lease.job_id}/top-k"
    response = service.client.get(address, params={"checkpoint": "last"}).json()
    (sample,) = response["samples"]["data"]
    assert sample["right"] is False
    assert [ranked["probability"] for ranked in sample["classes"]] == ["nan", "nan"]
