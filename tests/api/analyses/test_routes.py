"""Analyses over HTTP, while the test does the worker's part."""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.errors import Failure
from shared.ids import new_id
from shared.jobs import attempts, liveness
from shared.jobs.attempts import Lease
from shared.jobs.recording import NewArtifact
from tests.api.jobs.results.files import CONTENT, SHA256, with_file
from tests.api.service import Service, checkpoint_row

REQUEST = {"kind": "curvature"}


def request(service: Service, lease: Lease, **fields: Any) -> dict[str, Any]:
    """Request an analysis and return it."""
    response = service.post(f"/v1/jobs/{lease.job_id}/analyses", {**REQUEST, **fields})
    assert response.status_code in {200, 202}, response.text
    assert response.headers["location"] == f"/v1/analyses/{response.json()['id']}"
    return response.json()


def faults(service: Service, lease: Lease, body: Any) -> dict[str, str]:
    """Send a request that must be refused; return its faults by pointer."""
    response = service.post(f"/v1/jobs/{lease.job_id}/analyses", body)
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert service.rows()["jobs"] == 1
    return {fault["pointer"]: fault["detail"] for fault in response.json()["errors"]}


def read(service: Service, analysis_id: str, **query: Any) -> dict[str, Any]:
    path = f"/v1/analyses/{analysis_id}"
    return service.client.get(path, params=query).raise_for_status().json()


def test_a_request_is_queued_with_its_defaults_filled_in(service: Service, lease: Lease) -> None:
    response = service.post(f"/v1/jobs/{lease.job_id}/analyses", {**REQUEST, "samples": 100})
    assert response.status_code == 202
    analysis = response.json()
    assert analysis["id"].startswith("ana_")
    assert (analysis["object"], analysis["job"]) == ("analysis", lease.job_id)
    assert (analysis["state"], analysis["checkpoint_name"]) == ("queued", "last")
    assert analysis["parameters"]["samples"] == 100
    assert analysis["parameters"]["iterations"] == 80
    assert analysis["predicted_memory_mib"] == 12.5
    assert analysis["artifacts"] == []
    assert read(service, analysis["id"])["checkpoint"] == analysis["checkpoint"]


def test_the_sidecar_predicts_with_the_parameters_and_the_file(
    service: Service, lease: Lease
) -> None:
    request(service, lease, checkpoint="initial")
    sent = service.sidecar.requests[-1]
    assert (sent["operation"], sent["kind"]) == ("analysis", "curvature")
    assert sent["weights"].endswith("step-0/weights.safetensors")
    assert sent["parameters"]["probes"] == 10


def test_the_same_request_gives_the_same_analysis(service: Service, lease: Lease) -> None:
    first = request(service, lease)
    again = service.post(f"/v1/jobs/{lease.job_id}/analyses", {**REQUEST, "checkpoint": "last"})
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    others = [request(service, lease, seed=1), request(service, lease, checkpoint="initial")]
    assert len({first["id"], *(other["id"] for other in others)}) == 2, "both files are the same"


def test_an_analysis_that_failed_or_was_cancelled_is_not_returned_again(
    service: Service, lease: Lease
) -> None:
    first = request(service, lease)
    service.post(f"/v1/analyses/{first['id']}/cancel")
    second = request(service, lease)
    assert second["id"] != first["id"]
    own = service.claim()
    assert own.job_id == second["id"]
    failure = Failure(kind="internal", message="m", hint="h")
    with service.database.write() as connection:
        attempts.fail(connection, own, failure)
    assert read(service, second["id"])["failure"] == {
        "kind": "internal",
        "message": "m",
        "hint": "h",
    }
    assert request(service, lease)["id"] not in {first["id"], second["id"]}


def test_a_worker_claims_it_before_trainings_of_the_same_priority(
    service: Service, lease: Lease
) -> None:
    training = service.submit()
    urgent = service.submit(priority="high")
    analysis = request(service, lease)
    claimed = [service.claim().job_id for _ in range(3)]
    assert claimed == [urgent, analysis["id"], training]


def test_progress_result_and_files_are_shown(service: Service, lease: Lease) -> None:
    analysis = request(service, lease)
    own = service.claim()
    progress = {"step": 3, "steps": 10, "fraction": 0.3, "eta_seconds": 7.0}
    with service.database.write() as connection:
        liveness.record_heartbeat(connection, own, pid=2**30, progress=progress)
    running = read(service, analysis["id"])
    assert (running["state"], running["progress"]) == ("running", progress)

    directory = service.storage.results(own.job_id)
    directory.mkdir(parents=True)
    (directory / "spectrum.svg").write_bytes(CONTENT)
    artifact = NewArtifact(
        id=new_id("artifact"),
        name="spectrum.svg",
        path=service.storage.relative(directory / "spectrum.svg"),
        media_type="image/svg+xml",
        bytes=len(CONTENT),
        sha256=SHA256,
        created_at=now(),
    )
    service.record(own, artifacts=[artifact])
    service.succeed(own, point="saddle")
    ended = read(service, analysis["id"])
    assert (ended["state"], ended["result"]) == ("succeeded", {"point": "saddle"})
    assert ended["progress"]["fraction"] == 1
    (listed,) = ended["artifacts"]
    assert (listed["name"], listed["sha256"]) == ("spectrum.svg", SHA256)
    downloaded = service.client.get(listed["download"])
    assert (downloaded.status_code, downloaded.content) == (200, CONTENT)
    part = service.client.get(listed["download"], headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, CONTENT[5:10])
    missing = service.client.get(f"/v1/analyses/{own.job_id}/artifacts/other.svg/download")
    assert missing.status_code == 404
    assert missing.json()["detail"] == "The analysis has no such file. Its files: spectrum.svg."


def test_a_list_shows_the_analyses_of_one_job_newest_first(service: Service, lease: Lease) -> None:
    ids = [request(service, lease, seed=seed)["id"] for seed in range(3)]
    path = f"/v1/jobs/{lease.job_id}/analyses"
    page = service.client.get(path, params={"limit": 2}).json()
    assert [row["id"] for row in page["data"]] == ids[:0:-1]
    assert page["has_more"]
    rest = service.client.get(path, params={"after": ids[1]}).json()
    assert ([row["id"] for row in rest["data"]], rest["has_more"]) == (ids[:1], False)
    other = service.submit()
    assert service.client.get(f"/v1/jobs/{other}/analyses").json()["data"] == []


def test_an_analysis_is_no_job(service: Service, lease: Lease) -> None:
    analysis = request(service, lease)
    listed = service.client.get("/v1/jobs").json()["data"]
    assert [job["id"] for job in listed] == [lease.job_id]
    assert service.client.get(f"/v1/jobs/{analysis['id']}").status_code == 404
    prometheus = service.client.get("/metrics").text
    assert 'trainshed_jobs{state="queued"} 0.0' in prometheus


def test_a_wait_ends_when_the_state_changes(service: Service, lease: Lease) -> None:
    analysis = request(service, lease)
    service.claim()
    assert read(service, analysis["id"], wait=0.1)["state"] == "running"
    assert service.client.get(f"/v1/analyses/{analysis['id']}?wait=61").status_code == 422


def test_the_time_limit_is_that_of_the_request_or_of_the_job(service: Service) -> None:
    lease = service.start_job(resources={"max_runtime_seconds": 600})
    service.record(lease, checkpoints=[with_file(service, lease, checkpoint_row("last"))])
    assert request(service, lease)["max_runtime_seconds"] == 600
    own = request(service, lease, seed=1, max_runtime_seconds=30)
    assert own["max_runtime_seconds"] == 30
    with service.database.read() as connection:
        specs = dict(connection.execute(sa.select(tables.jobs.c.id, tables.jobs.c.spec)).all())
    assert specs[own["id"]]["resources"]["max_runtime_seconds"] == 30, "what the runner reads"
    assert specs[lease.job_id]["resources"]["max_runtime_seconds"] == 600


def test_the_log_of_each_attempt_is_shown(service: Service, lease: Lease) -> None:
    path = f"{request(service, lease)['links']['logs']}"
    assert service.client.get(path).text == ""
    own = service.claim()
    log = service.storage.log(own.job_id, own.attempt)
    log.parent.mkdir(parents=True)
    log.write_text("begin\n\x1b[31mresumed\n")
    assert service.client.get(path).text == "begin\n\\x1b[31mresumed\n"
    assert service.client.get(path, params={"tail": 8}).text == "resumed\n"
    missing = service.client.get(path, params={"attempt": 2})
    assert missing.status_code == 404
    assert missing.json()["detail"] == "The analysis has no attempt 2; it has 1 so far."


class TestCancel:
    def test_a_waiting_analysis_ends_at_once_and_again_changes_nothing(
        self, service: Service, lease: Lease
    ) -> None:
        analysis = request(service, lease)
        for _ in range(2):
            response = service.post(f"/v1/analyses/{analysis['id']}/cancel")
            assert (response.status_code, response.json()["state"]) == (202, "cancelled")

    def test_a_waiting_analysis_that_has_begun_leaves_no_partial_results(
        self, service: Service, lease: Lease
    ) -> None:
        analysis = request(service, lease)
        own = service.claim()
        path = service.storage.attempt(own.job_id, own.attempt) / "partial-0.safetensors"
        path.parent.mkdir(parents=True)
        path.touch()
        service.stop(own)
        assert service.post(f"/v1/analyses/{analysis['id']}/cancel").json()["state"] == "cancelled"
        assert not path.exists()

    def test_a_running_analysis_ends_with_its_process(self, service: Service, lease: Lease) -> None:
        analysis = request(service, lease)
        own = service.claim()
        response = service.post(f"/v1/analyses/{analysis['id']}/cancel")
        assert response.json()["state"] == "running"
        assert response.json()["cancel_requested_at"] is not None
        service.stop(own)
        assert read(service, analysis["id"])["state"] == "cancelled"

    def test_a_finished_analysis_is_a_conflict(self, service: Service, lease: Lease) -> None:
        analysis = request(service, lease)
        service.succeed(service.claim())
        response = service.post(f"/v1/analyses/{analysis['id']}/cancel")
        assert response.status_code == 409
        assert response.json()["detail"] == (
            "The analysis is succeeded; only a queued or running analysis can be cancelled."
        )

    def test_an_analysis_that_does_not_exist_is_not_found(self, service: Service) -> None:
        for path in (new_id("ana"), "ana_1", new_id("job")):
            assert service.post(f"/v1/analyses/{path}/cancel").status_code == 404
            assert service.client.get(f"/v1/analyses/{path}").status_code == 404


class TestRefusedRequests:
    @pytest.mark.parametrize(
        ("body", "pointer", "detail"),
        [
            ({}, "/kind", "is required. Available: "),
            ({"kind": "curvatur"}, "/kind", "`curvatur` is not an analysis. Did you mean `curv"),
            ({"kind": 3}, "/kind", "is 3; it must be the name of an analysis"),
            ({**REQUEST, "checkpoint": 3}, "/checkpoint", "is 3; it must be a checkpoint's id"),
            ({**REQUEST, "checkpoint": "best"}, "/checkpoint", "The job has no checkpoint 'best'"),
            ({**REQUEST, "samples": 7}, "/samples", "is 7; it must be at least 8"),
            ({**REQUEST, "samples": "all"}, "/samples", 'is "all"; it must be an integer'),
            ({**REQUEST, "iterations": 1001}, "/iterations", "is 1001; it must be at most 1000"),
            ({**REQUEST, "iteration": 5}, "/iteration", "`iteration` is not a parameter of curv"),
            ({**REQUEST, "job": "x"}, "/job", "`job` is not a parameter of curvature."),
            ([], "", "is []; it must be an object with `kind`"),
        ],
    )
    def test_each_fault_names_its_field(
        self, service: Service, lease: Lease, body: Any, pointer: str, detail: str
    ) -> None:
        found = faults(service, lease, body)
        assert [*found] == [pointer]
        assert found[pointer].startswith(detail)

    def test_all_faults_come_at_once(self, service: Service, lease: Lease) -> None:
        body = {**REQUEST, "checkpoint": "best", "samples": 0, "colour": 1, "seed": 1.5}
        body["max_runtime_seconds"] = 0
        found = faults(service, lease, body)
        assert [*found] == ["/checkpoint", "/colour", "/max_runtime_seconds", "/samples", "/seed"]

    @pytest.mark.parametrize("limit", [0, -1, True, "60", 1.5, 31_536_001])
    def test_a_time_limit_is_a_number_of_seconds(
        self, service: Service, lease: Lease, limit: Any
    ) -> None:
        found = faults(service, lease, {**REQUEST, "max_runtime_seconds": limit})
        assert "it must be an integer from 1 to 31536000" in found["/max_runtime_seconds"]

    @pytest.mark.parametrize("name", ["cuda:0", "cpu:0"])
    def test_a_network_too_large_for_every_device_is_refused_with_both_numbers(
        self, service: Service, lease: Lease, name: str
    ) -> None:
        devices = [{"name": name, "memory_mib": 12}]
        with service.database.write() as connection:
            liveness.record_worker(connection, worker="w", host="h", pid=7, devices=devices)
        detail = faults(service, lease, REQUEST)["/kind"]
        assert "needs about 12 MiB" in detail
        assert "the largest device has 12 MiB" in detail
        assert service.sidecar.requests[-1]["is_on_gpu"] == (name == "cuda:0")

    def test_a_job_without_a_checkpoint_is_a_conflict(self, service: Service) -> None:
        response = service.post(f"/v1/jobs/{service.submit()}/analyses", REQUEST)
        assert response.status_code == 409
        assert response.json()["detail"].startswith("The job has no checkpoint to analyse.")

    def test_a_checkpoint_whose_file_was_deleted_is_a_conflict(
        self, service: Service, lease: Lease
    ) -> None:
        row = replace(checkpoint_row("last", 30), directory="gone")
        service.record(lease, checkpoints=[row])
        response = service.post(f"/v1/jobs/{lease.job_id}/analyses", REQUEST)
        assert response.status_code == 409
        assert response.json()["detail"].startswith("The file of the checkpoint last no longer")

    def test_a_job_that_does_not_exist_is_not_found(self, service: Service) -> None:
        assert service.post(f"/v1/jobs/{new_id('job')}/analyses", REQUEST).status_code == 404

    def test_a_body_that_is_not_json_is_refused(self, service: Service, lease: Lease) -> None:
        path = f"/v1/jobs/{lease.job_id}/analyses"
        assert service.post(path, b"{").status_code == 400
        typed = service.post(path, REQUEST, **{"Content-Type": "text/plain"})
        assert typed.status_code == 415


def test_the_analyses_of_a_deleted_job_are_gone(service: Service, lease: Lease) -> None:
    analysis = request(service, lease)
    with service.database.write() as connection:
        connection.execute(sa.delete(tables.jobs).where(tables.jobs.c.id == lease.job_id))
    assert service.client.get(f"/v1/analyses/{analysis['id']}").status_code == 404


def test_concurrent_checkpoints_of_equal_weights_share_an_analysis(
    service: Service, lease: Lease
) -> None:
    first = request(service, lease)
    row = with_file(service, lease, checkpoint_row("last", 20))
    service.record(lease, checkpoints=[row])
    assert request(service, lease)["id"] == first["id"]


def test_label_errors_of_a_regression_are_refused(service: Service) -> None:
    fields = {"dataset": {"name": "digits", "target": "rotation"}, "loss": "l2"}
    lease = service.start_job(**fields, checkpoints=[])
    service.record(lease, checkpoints=[with_file(service, lease, checkpoint_row("last"))])
    found = faults(service, lease, {"kind": "label_errors"})
    assert found["/kind"] == (
        "is label_errors, which needs classes, but the job predicts a number; choose another kind"
    )
