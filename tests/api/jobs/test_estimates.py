"""The estimated duration of an epoch, from finished jobs."""

from typing import Any

from tests.api.service import SPEC, Service


def estimate(service: Service, **changes: Any) -> float | None:
    """Return the seconds per epoch of a specification."""
    return service.post("/v1/jobs/validate", {**SPEC, **changes}).json()["seconds_per_epoch"]


def test_it_is_the_duration_of_a_finished_job_of_the_same_cost(service: Service) -> None:
    lease = service.start_job()
    service.record(lease, latest={"seconds": 1.23456})
    service.succeed(lease)
    assert estimate(service) == 1.235
    assert estimate(service, training={"batch_size": 8}) is None


def test_it_is_proportional_to_the_number_of_images(service: Service) -> None:
    images = {"image_size": 16, "channels": 3, "train": 400, "validation": 100, "test": 100}
    lease = service.start_job(dataset={**images, "name": "synthetic"})
    service.record(lease, latest={"seconds": 7.0})
    service.succeed(lease)
    half = {**images, "name": "digits", "train": 200, "validation": 50}
    assert estimate(service, dataset=half) == 3.5
    assert estimate(service, dataset=half, regularizers={"vat": True}) is None
    assert estimate(service, dataset={**half, "image_size": 8}) is None
