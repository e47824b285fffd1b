"""Limits of people over HTTP: exactly as much gets in as is allowed, also of many requests at once.

The user `admin`, whose key the tests have, is limited.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.jobs import ledger, used_days
from tests.api.datasets.recorded_checks import CONTENT, files, store
from tests.api.service import SPEC, Service, checkpoint_row

ADMIN = "/v1/users/admin"


@pytest.fixture(autouse=True)
def _without_limits(service: Service) -> Iterator[None]:
    yield
    _limit(service)
    with service.database.write() as connection:
        connection.execute(sa.delete(tables.used_days))


def _limit(service: Service, **limits: Any) -> None:
    """Replace the limits of the admin."""
    with service.database.write() as connection:
        update = sa.update(tables.users).where(tables.users.c.name == "admin")
        connection.execute(update.values(limits=limits))
    service.app.state.services.request_rates._buckets.clear()


def _act_as_member(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit the admin like a member, whom the limit of high priority is for."""
    monkeypatch.setattr("api.services.principal.Principal.is_admin", property(lambda _: False))


def test_of_a_hundred_posts_at_once_exactly_the_limit_gets_in(service: Service) -> None:
    _limit(service, queued=7)
    with ThreadPoolExecutor(20) as threads:
        responses = [*threads.map(lambda _: service.post("/v1/jobs", SPEC), range(100))]
    refused = [response for response in responses if response.status_code != 202]
    assert len(responses) - len(refused) == 7
    assert {response.status_code for response in refused} == {429}
    problem = refused[0].json()
    assert problem["type"].endswith(":limit")
    assert (problem["limit"], problem["used"], problem["allowed"]) == ("queued", 7, 7)
    assert problem["frees_at"] is None
    assert int(refused[0].headers["retry-after"]) > 0
    assert service.rows()["jobs"] == 7


def test_a_limit_below_what_waits_loses_nothing_and_accepts_nothing(service: Service) -> None:
    jobs = [service.submit() for _ in range(3)]
    _limit(service, queued=1)
    assert service.post("/v1/jobs", SPEC).status_code == 429
    assert [service.job(job)["state"] for job in jobs] == ["queued"] * 3
    for job in jobs[:2]:
        service.post(f"/v1/jobs/{job}/cancel")
    assert service.post("/v1/jobs", SPEC).status_code == 429
    service.post(f"/v1/jobs/{jobs[2]}/cancel")
    assert service.post("/v1/jobs", SPEC).status_code == 202


def test_a_known_idempotency_key_gives_its_job_at_the_limit(service: Service) -> None:
    _limit(service, queued=1)
    with ThreadPoolExecutor(20) as threads:
        post = [*threads.map(lambda _: _post_with_key(service), range(40))]
    assert {response.status_code for response in post} == {202}
    assert len({response.json()["id"] for response in post}) == 1


def _post_with_key(service: Service) -> Any:
    return service.post("/v1/jobs", SPEC, **{"Idempotency-Key": "once"})


def test_forks_retries_and_resumed_jobs_count(service: Service) -> None:
    waiting, paused = service.submit(), service.submit()
    service.post(f"/v1/jobs/{paused}/pause")
    _limit(service, queued=1)
    patch = {"patch": [{"op": "replace", "path": "/seed", "value": 1}]}
    assert service.post(f"/v1/jobs/{waiting}/fork", patch).status_code == 429
    assert service.post(f"/v1/jobs/{paused}/resume").status_code == 429
    assert service.job(paused)["state"] == "paused"
    service.post(f"/v1/jobs/{waiting}/cancel")
    assert service.post(f"/v1/jobs/{paused}/resume").status_code == 202
    assert service.post(f"/v1/jobs/{paused}/resume").status_code == 202
    assert service.post(f"/v1/jobs/{waiting}/retry").status_code == 429


def test_high_priority_has_a_budget(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    _act_as_member(monkeypatch)
    _limit(service, high_device_seconds_week=10_000)
    high = {"priority": "high", "resources": {"max_runtime_seconds": 3_000}}
    with ThreadPoolExecutor(10) as threads:
        posts = [
            *threads.map(lambda _: service.post("/v1/jobs", {**SPEC, **high}), range(20)),
        ]
    ids = [post.json()["id"] for post in posts if post.status_code == 202]
    assert len(ids) == 3
    assert service.post("/v1/jobs", {**SPEC, "priority": "high"}).status_code == 429
    normal = service.submit()
    patched = service.client.patch(f"/v1/jobs/{normal}", json={"priority": "high"})
    assert (patched.status_code, patched.json()["limit"]) == (429, "high_device_seconds_week")
    longer = {"max_runtime_seconds": 5_000}
    assert service.client.patch(f"/v1/jobs/{ids[0]}", json=longer).status_code == 429
    shorter = {"max_runtime_seconds": 500}
    assert service.client.patch(f"/v1/jobs/{ids[0]}", json=shorter).status_code == 200


def test_the_budget_frees_after_a_week(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    _act_as_member(monkeypatch)
    _limit(service, high_device_seconds_week=1_000)
    with service.database.write() as connection:
        for days, seconds in ((9, 5_000.0), (3, 800.0)):
            at = now() - timedelta(days=days)
            used_days.add(connection, "admin", at, seconds, is_high=True)
    high = {**SPEC, "priority": "high", "resources": {"max_runtime_seconds": 600}}
    refused = service.post("/v1/jobs", high)
    assert (refused.status_code, refused.json()["used"]) == (429, 800)
    frees_at = (now() + timedelta(days=4)).date().isoformat()
    assert refused.json()["frees_at"].startswith(frees_at)
    assert service.client.get("/v1/me").json()["usage"]["high_device_seconds_week"] == 800
    high["resources"]["max_runtime_seconds"] = 100
    assert service.post("/v1/jobs", high).status_code == 202


def test_charges_count_for_the_week_also_of_deleted_jobs(service: Service) -> None:
    lease = service.start_job(priority="high")
    with service.database.write() as connection:
        until = now() + timedelta(seconds=90)
        ledger.charge(connection, lease.job_id, lease.attempt, until)
    service.succeed(lease)
    assert service.client.delete(f"/v1/jobs/{lease.job_id}").status_code == 200
    usage = service.client.get("/v1/me").json()["usage"]
    assert usage["high_device_seconds_week"] == usage["device_seconds_week"]
    assert 90 <= usage["device_seconds_week"] < 120


def test_storage_is_limited_and_the_answer_says_what_to_delete(service: Service) -> None:
    lease = service.start_job()
    service.record(lease, checkpoints=[checkpoint_row("last", bytes=3 * 2**20)])
    _limit(service, storage_mib=3)
    refused = service.post("/v1/jobs", SPEC)
    assert refused.status_code == 409
    problem = refused.json()
    assert problem["type"].endswith(":storage_limit")
    assert (problem["used"], problem["allowed"]) == (3, 3)
    assert (problem["deletable_bytes"], problem["largest_jobs"]) == (0, [])
    service.succeed(lease)
    problem = service.post("/v1/jobs", SPEC).json()
    assert problem["deletable_bytes"] == 3 * 2**20
    assert [job["id"] for job in problem["largest_jobs"]] == [lease.job_id]
    assert store(service).status_code == 409
    assert files(service) == []
    assert service.client.delete(f"/v1/jobs/{lease.job_id}").status_code == 200
    assert service.post("/v1/jobs", SPEC).status_code == 202


def test_uploads_at_once_do_not_exceed_the_limit_together(service: Service) -> None:
    _limit(service, storage_mib=len(CONTENT) * 2.5 / 2**20)
    with ThreadPoolExecutor(8) as threads:
        uploads = [*threads.map(lambda number: store(service, f"set-{number}"), range(8))]
    assert sorted(upload.status_code for upload in uploads) == [202] * 2 + [409] * 6
    assert len(files(service)) == 2


def test_requests_of_a_person_are_limited(service: Service) -> None:
    _limit(service, requests_per_second=0.5)
    responses = [service.client.get("/v1/me", headers={"X-Forwarded-For": f"10.0.0.{n}"})
                 for n in range(4)]  # fmt: skip
    assert [response.status_code for response in responses] == [200, 429, 429, 429]
    problem = responses[1].json()
    assert (problem["limit"], problem["allowed"]) == ("requests_per_second", 0.5)
    assert 1 <= int(responses[1].headers["retry-after"]) <= 2
    assert service.client.get("/healthz").status_code == 200
    _limit(service)
    assert service.client.get("/v1/me").status_code == 200
