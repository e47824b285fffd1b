"""`POST /v1/findings/{id}/verify`: from the request to the verdict."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from api.findings.automatic_checks import AutomaticChecks
from shared.errors import Failure, RowUnreadable
from shared.jobs import attempts, verifications
from shared.jobs.attempts import Lease
from shared.jobs.findings import NewDiagnosis
from tests.api.jobs.test_forks import FINDING, FINDING_ID
from tests.api.service import Service, metric_row

ADDRESS = f"/v1/findings/{FINDING_ID}"
FIRST, SECOND = ("pat_" + digit * 26 for digit in "12")
SPEC: dict[str, Any] = {"training": {"epochs": 8}}
CHECKS = {"limit": 10, "kind": "verification"}


def _diagnosed(service: Service, **spec: Any) -> Lease:
    """Return a running job with a finding that was certain in the first epoch."""
    lease = service.start_job(**{**SPEC, **spec})
    counts = {"error": 1, "warning": 0, "info": 0}
    FINDING.data["opened_epoch"] = 1
    diagnosis = NewDiagnosis(findings=[FINDING], counts=counts, headline="Too low.")
    service.record(lease, diagnosis=diagnosis)
    return lease


def _verify(service: Service, body: Any = None, finding: str = FINDING_ID) -> httpx.Response:
    return service.post(f"/v1/findings/{finding}/verify", body)


def _check(service: Service, index: int = 0) -> dict[str, Any]:
    return service.client.get(ADDRESS).raise_for_status().json()["patches"][index]["check"]


def _measure(service: Service, lease: Lease, loss: float) -> None:
    """Record a validation loss after the first epoch, and end the job."""
    service.record(lease, metrics=[metric_row("val_data_loss", 10, loss, epoch=1)])
    service.succeed(lease)


def _settle(service: Service) -> None:
    with service.database.write() as connection:
        for patch_id in verifications.list_decidable(connection):
            verifications.settle(connection, patch_id)


def _verifications(service: Service) -> list[dict[str, Any]]:
    return service.client.get("/v1/jobs", params=CHECKS).json()["data"]


def test_patch_is_checked_next_to_a_null_fork_and_verified(service: Service) -> None:
    parent = _diagnosed(service, name="mine", seed=3, priority="high")
    _measure(service, parent, 2.3)
    response = _verify(service)
    assert (response.status_code, response.headers["location"]) == (202, ADDRESS)
    check = response.json()["patches"][0]["check"]
    assert (check["state"], check["gain"]) == ("queued", None)
    null, fork = _verifications(service)  # newest first
    assert fork["id"] == check["job"]
    assert {fork["forked_from"], null["forked_from"]} == {parent.job_id}
    assert [job["spec"]["seed"] for job in (fork, null)] == [3, 4]
    assert [job["spec"]["optimizer"]["learning_rate"] for job in (fork, null)] == [0.5, 0.01]
    assert [job["name"] for job in (fork, null)] == ["mine-check", "mine-null"]
    assert parent.job_id in {job["id"] for job in service.client.get("/v1/jobs").json()["data"]}
    assert len(service.client.get("/v1/jobs").json()["data"]) == 1
    assert service.client.get("/v1/jobs", params={"kind": "x"}).status_code == 422
    first = service.claim()
    assert _check(service)["state"] == "running"
    _measure(service, first, 0.5)
    _settle(service)
    assert _check(service)["state"] == "running", "the null fork has not ended"
    _measure(service, service.claim(), 2.31)
    _settle(service)
    assert _check(service) == {
        "state": "verified",
        "job": fork["id"],
        "gain": pytest.approx(1 - 0.5 / 2.3, abs=1e-5),
        "detail": "val_data_loss after epoch 1 is 0.5 instead of 2.3, and the finding is gone.",
    }
    assert _verify(service).json()["patches"][0]["check"]["job"] == fork["id"]
    assert len(_verifications(service)) == 2, "a check with a verdict is not repeated"


def test_two_requests_at_once_make_one_check(service: Service) -> None:
    _diagnosed(service)
    with ThreadPoolExecutor(4) as pool:
        responses = [*pool.map(lambda _: _verify(service), range(4))]
    assert {response.status_code for response in responses} == {202}
    assert len({r.json()["patches"][0]["check"]["job"] for r in responses}) == 1
    assert len(_verifications(service)) == 2


def test_second_patch_shares_the_null_fork_and_a_worse_loss_refutes(service: Service) -> None:
    parent = _diagnosed(service)
    assert _verify(service).status_code == 202
    assert _verify(service, {"patch": SECOND}).status_code == 202
    assert len(_verifications(service)) == 3
    for loss in (0.5, 2.3, 4.0):  # the fork, the null fork, the second fork
        _measure(service, service.claim(), loss)
    _settle(service)
    states = [_check(service, index)["state"] for index in (0, 1)]
    assert states == ["running", "running"], "the job itself has not come that far"
    _measure(service, parent, 2.3)
    _settle(service)
    assert [_check(service, index)["state"] for index in (0, 1)] == ["verified", "refuted"]


def test_a_cancelled_check_is_inconclusive_and_can_be_repeated(service: Service) -> None:
    _measure(service, _diagnosed(service), 2.3)
    job = _verify(service).json()["patches"][0]["check"]["job"]
    assert service.post(f"/v1/jobs/{job}/cancel").status_code == 202
    assert service.post(f"/v1/jobs/{job}/retry").status_code == 409
    _measure(service, service.claim(), 2.3)
    _settle(service)
    assert _check(service)["state"] == "inconclusive"
    assert "is cancelled" in _check(service)["detail"]
    again = _verify(service).json()["patches"][0]["check"]
    assert (again["state"], again["job"] != job) == ("queued", True)
    assert len(_verifications(service)) == 3, "the null fork is still of use"


def test_a_diverged_fork_is_refuted_and_a_deleted_fork_inconclusive(service: Service) -> None:
    _measure(service, _diagnosed(service), 2.3)
    assert _verify(service).status_code == 202
    fork = service.claim()
    with service.database.write() as connection:
        failure = Failure(kind="diverged", message="The loss is nan.", hint="Lower the rate.")
        attempts.fail(connection, fork, failure)
    _measure(service, service.claim(), 2.3)
    _settle(service)
    assert _check(service)["state"] == "refuted"
    assert _verify(service, {"patch": SECOND}).status_code == 202
    second = service.claim()
    _measure(service, second, 0.4)
    assert service.client.delete(f"/v1/jobs/{second.job_id}").status_code == 200
    _settle(service)
    assert _check(service, 1)["detail"] == "The job with the patch was deleted."
    assert _check(service, 1)["job"] is None


def test_a_job_is_deleted_with_its_ended_checks_only(service: Service) -> None:
    parent = _diagnosed(service)
    service.succeed(parent)
    assert _verify(service).status_code == 202
    address = f"/v1/jobs/{parent.job_id}"
    refused = service.client.delete(address)
    assert (refused.status_code, len(refused.json()["jobs"])) == (409, 2)
    for job in _verifications(service):
        service.post(f"/v1/jobs/{job['id']}/cancel")
    assert service.client.delete(address).status_code == 200
    assert _verifications(service) == []
    assert _verify(service).status_code == 404


def test_wrong_requests_say_what_is_wrong(service: Service) -> None:
    _diagnosed(service)
    unknown = _verify(service, finding="fnd_" + "9" * 26)
    assert (unknown.status_code, "There is no finding" in unknown.text) == (404, True)
    other = _verify(service, {"patch": "pat_" + "9" * 26})
    assert (other.status_code, FIRST in other.json()["detail"]) == (404, True)
    wrong = _verify(service, {"patch": 1, "patches": []})
    assert wrong.status_code == 422
    assert {fault["pointer"] for fault in wrong.json()["errors"]} == {"/patch", "/patches"}
    assert _verify(service, [1]).status_code == 422
    assert _verify(service, b"{").status_code in (400, 422)
    assert _verifications(service) == []


def test_finding_of_a_check_is_not_checked_again(service: Service) -> None:
    _diagnosed(service)
    assert _verify(service).status_code == 202
    fork = service.claim()
    row = FINDING.__class__(**{**vars(FINDING), "id": "fnd_" + "5" * 26})
    counts = {"error": 1, "warning": 0, "info": 0}
    service.record(fork, diagnosis=NewDiagnosis(findings=[row], counts=counts))
    refused = _verify(service, finding=row.id)
    assert (refused.status_code, "fork it" in refused.json()["detail"]) == (409, True)


@pytest.mark.parametrize(("epochs", "started"), [(8, 2), (3, 0)])
def test_automatic_check_starts_at_the_end_within_a_quarter_of_the_steps(
    service: Service, epochs: int, started: int
) -> None:
    spec = {"diagnostics": {"verify": "auto"}, "training": {"epochs": epochs}}
    parent = _diagnosed(service, **spec)
    checks = AutomaticChecks(service.app.state.services)
    checks.start_due()
    assert _verifications(service) == [], "the job has not ended"
    _measure(service, parent, 2.3)
    checks.start_due()
    checks.start_due()
    jobs = _verifications(service)
    assert len(jobs) == started
    assert all(job["priority"] == "low" for job in jobs)
    assert all(job["spec"]["diagnostics"]["verify"] is False for job in jobs)


def test_an_automatic_check_that_fails_does_not_stop_the_next(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {"diagnostics": {"verify": "auto"}}
    first = service.start_job(**spec)
    stop_awaiting = verifications.stop_awaiting

    def fail_for_the_first(connection: Any, job_id: str) -> bool:
        if job_id == first.job_id:
            raise RowUnreadable(table="verifications", row_id="pat_1", column="gain", why="is text")
        return stop_awaiting(connection, job_id)

    # Before the jobs end: the service itself also starts checks.
    monkeypatch.setattr(verifications, "stop_awaiting", fail_for_the_first)
    service.succeed(first)
    service.succeed(service.start_job(**spec))
    AutomaticChecks(service.app.state.services).start_due()
    with service.database.read() as connection:
        assert verifications.list_awaiting(connection) == [first.job_id]
