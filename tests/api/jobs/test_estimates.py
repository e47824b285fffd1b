"""The estimated duration of an epoch, from finished jobs."""

from typing import Any

import pytest

from api.jobs import estimates
from shared.jobs import liveness
from tests.api.service import SPEC, Service
from tests.fakes.sidecar import accept_everything

WORK = {"operations": 100, "bytes": 2_000_000, "flops": 30_000_000}
SPEED = {"operations": 1e-5, "bytes": 1e-9, "flops": 1e-10}


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


def _respond(request: dict[str, Any]) -> dict[str, Any]:
    """Respond like a sidecar that counts the work of a step and has a slow CPU."""
    if request["operation"] == "speed":
        return {"ok": True, **SPEED}
    return {**accept_everything(request), **({"work": WORK} if "batch_size" in request else {})}


class TestPrediction:
    @pytest.fixture(autouse=True)
    def _sidecar(self, service: Service) -> None:
        service.sidecar.respond = _respond

    def test_a_network_that_never_ran_gets_a_prediction_from_the_work_of_a_step(
        self, service: Service
    ) -> None:
        step = estimates.STEP_FACTOR * (0.001 + 0.002 + 0.003)
        dataset = {"name": "digits", "train": 320, "validation": 160}
        # Ten steps, and two evaluations of half as many images at a third of the cost.
        assert estimate(service, dataset=dataset) == pytest.approx(step * (10 + 10 / 3), abs=1e-3)

    def test_a_measured_duration_takes_precedence(self, service: Service) -> None:
        lease = service.start_job()
        service.record(lease, latest={"seconds": 1.25})
        service.succeed(lease)
        assert estimate(service) == 1.25

    def test_it_is_for_the_gpu_of_the_newest_worker(self, service: Service) -> None:
        on_cpu = estimate(service)
        devices = [{"name": "cuda:0"}]
        with service.database.write() as connection:
            liveness.record_worker(connection, worker="w", host="h", pid=1, devices=devices)
        on_gpu = estimate(service)
        assert on_cpu is not None
        assert on_gpu is not None
        assert 0 < on_gpu < on_cpu
