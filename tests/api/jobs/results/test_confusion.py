"""The confusion matrix."""

from shared.jobs.attempts import Lease
from tests.api.jobs.results.files import evaluate
from tests.api.service import Service


def test_confusion_matrix_of_the_best_and_of_a_named_checkpoint(
    service: Service, lease: Lease
) -> None:
    evaluate(service, lease)
    address = f"/v1/jobs/{lease.job_id}/confusion"
    best = service.client.get(address).json()
    assert best["name"] == "best_val_loss"
    assert best["classes"] == ["cat", "dog"]
    assert best["matrix"] == [[3, 0], [0, 4]]
    last = service.client.get(address, params={"checkpoint": "last"}).json()
    assert last["matrix"] == [[3, 1], [0, 4]]
