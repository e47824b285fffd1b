"""Predictions of a job and of its epochs, from finished jobs."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from api.jobs import estimates
from api.jobs.schemas import Validation
from api.queue.schemas import Explanation
from shared.jobs import liveness
from shared.jobs.estimates.cost import cost_of
from tests.api.service import SPEC, Service
from tests.fakes.sidecar import accept_everything
from tests.shared.jobs.estimates.examples import observe

WORK = {"operations": 100, "bytes": 2_000_000, "flops": 30_000_000}
SPEED = {"operations": 1e-5, "bytes": 1e-9, "flops": 1e-10}


def estimate(service: Service, **changes: Any) -> float | None:
    """Return the seconds per epoch of a specification."""
    return service.post("/v1/jobs/validate", {**SPEC, **changes}).json()["seconds_per_epoch"]


def finish(service: Service, epoch_seconds: float, **changes: Any) -> None:
    """Let a job succeed whose epochs took so long, and whose start and end took two seconds."""
    lease = service.start_job(**changes)
    cost = cost_of(service.job(lease.job_id)["spec"])
    assert cost is not None
    pass_seconds = epoch_seconds / cost.passes_per_epoch
    observe(service.database, lease.job_id, cost, pass_seconds, overhead_seconds=2.0)
    service.succeed(lease)
    service.app.state.services.estimator._kept.clear()


def test_it_is_the_duration_in_a_finished_job_of_the_same_kind(service: Service) -> None:
    finish(service, 1.23456)
    assert estimate(service) == 1.235
    assert estimate(service, training={"batch_size": 8}) is None


def test_it_is_proportional_to_the_number_of_images(service: Service) -> None:
    images = {"name": "synthetic", "image_size": 16, "channels": 3, "train": 400, "test": 100}
    finish(service, 7.0, dataset={**images, "validation": 100})
    half = {**images, "train": 200, "validation": 50}
    assert estimate(service, dataset=half) == 3.5
    assert estimate(service, dataset=half, regularizers={"vat": True}) is None
    assert estimate(service, dataset={**half, "image_size": 8}) is None


def test_a_validation_has_the_time_of_the_whole_job(service: Service) -> None:
    unknown = service.post("/v1/jobs/validate", SPEC).json()
    TypeAdapter(Validation).validate_python(unknown)
    assert unknown["seconds"] == {"p50": None, "p90": None}
    assert unknown["basis"] == {"kind": "unknown", "attempts": 0}
    for _ in range(3):
        finish(service, 1.5)
    known = service.post("/v1/jobs/validate", SPEC).json()
    assert known["seconds"]["p50"] == pytest.approx(20 * 1.5 + 2, abs=0.1)
    assert known["seconds"]["p50"] < known["seconds"]["p90"] < 60
    assert known["basis"] == {"kind": "seen", "attempts": 3}
    capped = {**SPEC, "resources": {"max_runtime_seconds": 20}}
    limited = service.post("/v1/jobs/validate", capped).json()
    assert limited["seconds"] == {"p50": 20.0, "p90": 20.0}
    other = service.post("/v1/jobs/validate", {**SPEC, "training": {"batch_size": 8}}).json()
    assert other["basis"] == {"kind": "architecture", "attempts": 1}


def test_memory_is_bounded_by_what_jobs_of_the_kind_needed(service: Service) -> None:
    before = service.post("/v1/jobs/validate", SPEC).json()
    assert before["memory"]["basis"]["kind"] == "cold"
    assert before["memory"]["mib"] > before["device_memory_mib"]
    lease = service.start_job()
    cost = cost_of(service.job(lease.job_id)["spec"])
    assert cost is not None
    observe(service.database, lease.job_id, cost, peak_memory_mib=1000.0)
    service.app.state.services.estimator._kept.clear()
    after = service.post("/v1/jobs/validate", SPEC).json()["memory"]
    assert after == {"mib": 1150.0, "basis": {"kind": "seen", "attempts": 1}}


def test_the_queue_and_an_explanation_use_the_prediction(service: Service) -> None:
    finish(service, 1.5)
    gpu = {"name": "cpu:0", "model": "CPU, 1 threads", "uuid": "", "memory_mib": 64_000}
    with service.database.write() as connection:
        liveness.record_worker(connection, worker="w", host="h", pid=1, devices=[gpu])
    running, waiting = service.start_job(), service.submit()
    service.app.state.services.queue_order._read_at = float("-inf")
    found = service.client.get(f"/v1/jobs/{waiting}/explain").json()
    TypeAdapter(Explanation).validate_python(found)
    assert found["basis"] == {"kind": "seen", "attempts": 1}
    assert found["seconds"]["p50"] == pytest.approx(32.0, abs=0.1)
    (row,) = service.client.get("/v1/queue").json()["data"]
    assert row["starts"] == found["starts"]
    assert row["starts"]["p50"] < row["starts"]["p90"]
    ends = service.client.get(f"/v1/jobs/{running.job_id}/explain").json()["ends"]
    assert ends["p50"] < ends["p90"]


@pytest.mark.parametrize(
    ("resources", "shown"), [({}, (100.0, 110.0)), ({"max_runtime_seconds": 60}, (60.0, 60.0))]
)
def test_progress_has_a_range_and_ends_by_the_time_limit(
    service: Service, resources: dict[str, int], shown: tuple[float, float]
) -> None:
    lease = service.start_job(resources=resources)
    progress = {"stage": "training", "epoch": 3, "epochs": 20, "step": 30, "steps": 200}
    progress |= {"fraction": 0.15, "images_per_second": 10.0, "eta_seconds": 100.0}
    with service.database.write() as connection:
        liveness.record_heartbeat(connection, lease, pid=1, progress=progress)
    found = service.job(lease.job_id)["progress"]
    assert (found["eta_seconds"], found["eta_seconds_p90"]) == pytest.approx(shown, abs=1)


def test_the_quality_of_predictions_is_in_the_metrics(service: Service) -> None:
    for _ in range(3):
        finish(service, 1.5)
    text = service.client.get("/metrics").text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    assert values['trainshed_predicted_time_jobs{basis="seen"}'] == "2.0"
    assert values['trainshed_predicted_time_jobs{basis="unknown"}'] == "1.0"
    assert values['trainshed_predicted_time_p90_coverage{basis="seen"}'] == "1.0"
    assert values['trainshed_predicted_memory_exceeded_fraction{basis="cold"}'] == "NaN"


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
        finish(service, 1.25)
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
