"""What the routes show of an analysis, while the test does the worker's part."""

import sqlalchemy as sa

from shared import tables
from shared.jobs import liveness
from shared.jobs.attempts import Lease
from tests.api.analyses.requests import read, request
from tests.api.jobs.results.files import CONTENT, SHA256, artifact_of
from tests.api.service import Service


def test_progress_result_and_files_are_shown(service: Service, lease: Lease) -> None:
    analysis = request(service, lease)
    own = service.claim()
    progress = {"step": 3, "steps": 10, "fraction": 0.3, "eta_seconds": 7.0}
    with service.database.write() as connection:
        liveness.record_heartbeat(connection, own, pid=2**30, progress=progress)
    running = read(service, analysis["id"])
    assert (running["state"], running["progress"]) == ("running", progress)

    service.record(own, artifacts=[artifact_of(service, own, "spectrum.svg", "image/svg+xml")])
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


def test_the_analyses_of_a_deleted_job_are_gone(service: Service, lease: Lease) -> None:
    analysis = request(service, lease)
    with service.database.write() as connection:
        connection.execute(sa.delete(tables.jobs).where(tables.jobs.c.id == lease.job_id))
    assert service.client.get(f"/v1/analyses/{analysis['id']}").status_code == 404
