"""`PATCH /v1/jobs/{id}`."""

import json
from typing import Any

import httpx
import pytest

from shared.ids import new_id
from shared.jobs import liveness
from tests.api.service import Service

MERGE_PATCH = "application/merge-patch+json"


def _patch(service: Service, job_id: str, body: Any, **headers: str) -> httpx.Response:
    headers = {"Content-Type": MERGE_PATCH, **{k.replace("_", "-"): v for k, v in headers.items()}}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return service.client.patch(f"/v1/jobs/{job_id}", content=content, headers=headers)


def _faults(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 422, response.text
    return {fault["pointer"]: fault["detail"] for fault in response.json()["errors"]}


def test_all_fields_of_a_waiting_job_are_changed_and_its_specification_with_them(
    service: Service,
) -> None:
    job_id = service.submit(tags={"keep": "1", "old": "2"})
    changes = {"priority": "high", "notes": "two\nlines", "max_runtime_seconds": 60}
    response = _patch(service, job_id, {**changes, "tags": {"new": "3", "old": None, "no": None}})
    assert response.status_code == 200, response.text
    job = response.json()
    assert response.headers["ETag"]
    assert (job["priority"], job["notes"]) == ("high", "two\nlines")
    assert job["tags"] == {"keep": "1", "new": "3"}
    assert job["spec"]["priority"] == "high"
    assert job["spec"]["tags"] == job["tags"]
    assert job["spec"]["resources"]["max_runtime_seconds"] == 60
    assert service.job(job_id)["spec"] == job["spec"]


def test_null_stands_for_the_default(service: Service) -> None:
    limited = {"resources": {"max_runtime_seconds": 9}}
    job_id = service.submit(priority="high", tags={"a": "b"}, **limited)
    _patch(service, job_id, {"notes": "x"})
    names = ("priority", "tags", "notes", "max_runtime_seconds")
    job = _patch(service, job_id, dict.fromkeys(names)).json()
    assert (job["priority"], job["tags"], job["notes"]) == ("normal", {}, "")
    assert job["spec"]["resources"]["max_runtime_seconds"] is None


def test_new_priority_changes_the_order_and_new_tags_the_filter(service: Service) -> None:
    first, second = service.submit(), service.submit(tags={"a": "b"})
    _patch(service, second, {"priority": "high", "tags": {"a": None, "c": "d"}})
    for tag, found in (("a", []), ("c:d", [second])):
        data = service.client.get("/v1/jobs", params={"tag": tag}).json()["data"]
        assert [job["id"] for job in data] == found
    assert [service.claim().job_id, service.claim().job_id] == [second, first]


def test_an_event_says_what_has_changed_and_none_where_nothing_has(service: Service) -> None:
    job_id = service.submit()
    for _ in range(2):
        _patch(service, job_id, {"priority": "low", "notes": ""})
    _patch(service, job_id, {})
    events = service.client.get(f"/v1/jobs/{job_id}/events").json()["data"]
    assert [event["data"] for event in events if event["type"] == "changed"] == [
        {"priority": "low"}
    ]


def test_running_job_learns_its_new_limit_with_its_heartbeat(service: Service) -> None:
    lease = service.start_job()
    with service.database.write() as connection:
        before = liveness.record_heartbeat(connection, lease, pid=1, progress=None)
    _patch(service, lease.job_id, {"max_runtime_seconds": 7})
    with service.database.write() as connection:
        after = liveness.record_heartbeat(connection, lease, pid=1, progress=None)
        spec = liveness.read_spec(connection, lease)
    assert after.spec_sha256 != before.spec_sha256
    assert spec["resources"]["max_runtime_seconds"] == 7


def test_retry_has_the_changed_values(service: Service) -> None:
    job_id = service.submit(tags={"a": "b"})
    _patch(service, job_id, {"priority": "low", "tags": {"a": "c"}})
    service.post(f"/v1/jobs/{job_id}/cancel")
    retry = service.post(f"/v1/jobs/{job_id}/retry").json()
    assert (retry["priority"], retry["tags"]) == ("low", {"a": "c"})


def test_of_an_ended_job_only_tags_and_notes_can_be_changed(service: Service) -> None:
    lease = service.start_job()
    service.succeed(lease)
    changed = _patch(service, lease.job_id, {"notes": "best so far", "tags": {"paper": "yes"}})
    assert changed.status_code == 200
    refused = _patch(service, lease.job_id, {"priority": "high", "notes": "lost"})
    assert refused.status_code == 409
    assert refused.json()["allowed"] == ["tags", "notes"]
    job = service.job(lease.job_id)
    assert (job["notes"], job["tags"], job["priority"]) == (
        "best so far",
        {"paper": "yes"},
        "normal",
    )


def test_every_fault_is_in_one_answer_and_nothing_is_changed(service: Service) -> None:
    job_id = service.submit()
    before = service.job(job_id)
    patch = {
        "priority": "urgent",
        "tags": {"a": 1, "b": "fine"},
        "notes": "a\u202eb",
        "max_runtime_seconds": 0,
        "prioritty": "high",
        "state": "queued",
    }
    faults = _faults(_patch(service, job_id, patch))
    assert set(faults) == {f"/{name}" for name in patch if name != "tags"} | {"/tags/a"}
    assert "priority" in faults["/prioritty"]
    assert service.job(job_id) == before


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ([], ""),
        ("high", ""),
        (None, ""),
        ({"tags": ["a"]}, "/tags"),
        ({"tags": {"": "x"}}, "/tags/"),
        ({"tags": {"a": {"b": None}}}, "/tags/a"),
        ({"max_runtime_seconds": True}, "/max_runtime_seconds"),
        ({"max_runtime_seconds": 10**9}, "/max_runtime_seconds"),
        ({"notes": "x" * 10_001}, "/notes"),
        ({"tags": {f"t{n}": "x" for n in range(65)}}, "/tags"),
    ],
)
def test_wrong_patch_is_refused_with_a_pointer(service: Service, patch: Any, pointer: str) -> None:
    assert set(_faults(_patch(service, service.submit(), patch))) == {pointer}


def test_tags_are_counted_after_the_merge(service: Service) -> None:
    job_id = service.submit(tags={f"t{n}": "x" for n in range(64)})
    assert set(_faults(_patch(service, job_id, {"tags": {"more": "x"}}))) == {"/tags"}
    replaced = _patch(service, job_id, {"tags": {"t0": None, "more": "x"}})
    assert len(replaced.json()["tags"]) == 64


def test_if_match_refuses_a_job_that_has_changed(service: Service) -> None:
    lease = service.start_job()
    etag = service.client.get(f"/v1/jobs/{lease.job_id}").headers["ETag"]
    with service.database.write() as connection:
        liveness.record_heartbeat(connection, lease, pid=1, progress=None)
    changed = _patch(service, lease.job_id, {"notes": "a"}, If_Match=etag)
    assert changed.status_code == 200, "a heartbeat is no change"
    stale = _patch(service, lease.job_id, {"notes": "b"}, If_Match=etag)
    assert stale.status_code == 412
    assert service.job(lease.job_id)["notes"] == "a"
    for current in (changed.headers["ETag"], "*", f'"0-0-0", {changed.headers["ETag"]}'):
        assert _patch(service, lease.job_id, {}, If_Match=current).status_code == 200


def test_other_refusals(service: Service) -> None:
    job_id = service.submit()
    assert _patch(service, new_id("job"), {}).status_code == 404
    assert _patch(service, job_id, b"{").status_code == 400
    assert _patch(service, job_id, {}, Content_Type="text/plain").status_code == 415
    assert _patch(service, job_id, {}, Content_Type="application/json").status_code == 200
