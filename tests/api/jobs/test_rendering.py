"""The progress and the links of a job."""

import pytest
import sqlalchemy as sa

from shared import tables
from shared.errors import Failure
from shared.jobs import attempts, claims, liveness
from shared.jobs.attempts import Lease
from shared.jobs.planning.box import Device, Policy
from tests.api.service import Service


class TestProgress:
    def _send_heartbeat(self, service: Service, lease: Lease) -> None:
        progress = {"stage": "training", "epoch": 7, "epochs": 8, "step": 103, "steps": 120}
        progress |= {"fraction": 0.86, "images_per_second": 500.0, "eta_seconds": 0.8}
        with service.database.write() as connection:
            liveness.record_heartbeat(connection, lease, pid=1, progress=progress)

    @pytest.mark.parametrize(("epochs", "steps"), [(8, 120), (7, 105)])
    def test_succeeded_job_is_at_its_end_even_after_early_stopping(
        self, service: Service, epochs: int, steps: int
    ) -> None:
        lease = service.start_job()
        self._send_heartbeat(service, lease)
        assert service.job(lease.job_id)["progress"]["fraction"] == 0.86
        service.succeed(lease, epochs=epochs, steps=steps, stages={"training": "epochs"})
        assert service.job(lease.job_id)["progress"] == {
            "stage": "training",
            "epoch": epochs,
            "epochs": epochs,
            "step": steps,
            "steps": steps,
            "fraction": 1.0,
            "images_per_second": 500.0,
            "eta_seconds": 0.0,
        }

    def test_job_that_succeeded_before_its_first_heartbeat_has_progress(
        self, service: Service
    ) -> None:
        lease = service.start_job()
        service.succeed(lease, epochs=1, steps=2, stages={"warm_up": "", "fine_tune": ""})
        progress = service.client.get("/v1/jobs").json()["data"][0]["progress"]
        assert progress["stage"] == "fine_tune"
        assert (progress["fraction"], progress["step"]) == (1.0, 2)

    def test_failed_job_keeps_its_last_progress(self, service: Service) -> None:
        lease = service.start_job()
        self._send_heartbeat(service, lease)
        failure = Failure(kind="crashed", message="", hint="")
        with service.database.write() as connection:
            attempts.fail(connection, lease, failure)
        progress = service.job(lease.job_id)["progress"]
        assert (progress["fraction"], progress["step"]) == (0.86, 103)
        assert progress["eta_seconds"] is None


class TestDevices:
    def test_a_job_shows_all_devices_of_its_newest_attempt(self, service: Service) -> None:
        job_id = service.submit(resources={"gpus": 2})
        assert service.job(job_id)["devices"] == []
        devices = [Device(f"w/cpu:{index}", "h") for index in range(2)]
        assert claims.claim_next(
            service.database, worker="w", host="h", devices=devices, policy=Policy()
        )
        job = service.job(job_id)
        (listed,) = service.client.get("/v1/jobs").json()["data"]
        for shown in (job, listed, *job["attempts"]):
            assert (shown["device"], shown["devices"]) == ("cpu:0", ["cpu:0", "cpu:1"])

    def test_an_attempt_of_an_earlier_version_shows_its_device(self, service: Service) -> None:
        lease = service.start_job()
        with service.database.write() as connection:
            connection.execute(sa.update(tables.attempts).values(devices=None))
        (attempt,) = service.job(lease.job_id)["attempts"]
        assert attempt["devices"] == [attempt["device"]]


class TestLinks:
    def test_event_files_are_linked_if_the_job_writes_them(self, service: Service) -> None:
        assert "tensorboard" not in service.job(service.submit())["links"]
        job_id = service.submit(tracking={"tensorboard": True})
        address = f"/v1/jobs/{job_id}"
        assert service.job(job_id)["links"]["tensorboard"] == f"{address}/tensorboard"

    def test_retry_links_to_the_original_job(self, service: Service) -> None:
        job_id = service.submit(tracking={"tensorboard": True})
        assert "retry_of" not in service.job(job_id)["links"]
        service.post(f"/v1/jobs/{job_id}/cancel")
        job = service.post(f"/v1/jobs/{job_id}/retry").json()
        assert job["links"]["retry_of"] == f"/v1/jobs/{job_id}"
        assert job["links"]["tensorboard"] == f"/v1/jobs/{job['id']}/tensorboard"
        for link in (job["links"]["self"], job["links"]["retry_of"]):
            assert service.client.get(link).status_code == 200
