"""`POST /v1/jobs/{id}/retry`: idempotent by its key, or while the retry has not finished."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from shared.jobs import queries
from tests.api.service import SPEC, Service, checkpoint_row


@pytest.fixture
def cancelled(service: Service) -> str:
    """Return the id of a job that can be retried."""
    return _submit_and_cancel(service)


def _submit_and_cancel(service: Service) -> str:
    job_id = service.submit()
    service.post(f"/v1/jobs/{job_id}/cancel")
    return job_id


def _headers(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Idempotency-Key": key}


def _post_retry(service: Service, job_id: str, key: str | None = None) -> httpx.Response:
    return service.post(f"/v1/jobs/{job_id}/retry", **_headers(key))


def _retry(service: Service, job_id: str, key: str | None = None) -> str:
    """Retry a job; return the id of the retry."""
    response = _post_retry(service, job_id, key)
    assert response.status_code == 202, response.text
    assert response.json()["retry_of"] == job_id
    assert response.headers["location"] == f"/v1/jobs/{response.json()['id']}"
    return response.json()["id"]


def _retry_concurrently(service: Service, job_id: str, key: str | None = None) -> set[str]:
    """Send a hundred concurrent requests; return the ids of the retries."""
    address = f"/v1/jobs/{job_id}/retry"
    headers = {**service.client.headers, **_headers(key)}
    with (  # separate connections: none is left that the service closes later
        httpx.Client(base_url=service.client.base_url, headers=headers, timeout=30) as client,
        ThreadPoolExecutor(32) as pool,
    ):
        responses = pool.map(lambda _: client.post(address).raise_for_status(), range(100))
        return {response.json()["id"] for response in responses}


def test_retry_is_a_new_job_that_continues_from_the_last_checkpoint(service: Service) -> None:
    lease = service.start_job(name="again", seed=5, regularizers={"l2": 1.0})
    last = checkpoint_row("last")
    service.record(lease, checkpoints=[last])
    service.post(f"/v1/jobs/{lease.job_id}/cancel")
    service.stop(lease)
    retry_id = _retry(service, lease.job_id)
    assert service.job(retry_id)["spec"] == service.job(lease.job_id)["spec"]
    assert service.job(retry_id)["warnings"] == service.job(lease.job_id)["warnings"] != []
    assert service.claim().job_id == retry_id
    with service.database.read() as connection:
        row = queries.get_job(connection, retry_id)
    assert row is not None
    assert row.resume_from == last.id


def test_a_retry_is_predicted_from_its_checkpoint_and_before_the_transaction(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = service.start_job()
    service.record(lease, checkpoints=[checkpoint_row("last", epoch=1)])
    service.post(f"/v1/jobs/{lease.job_id}/cancel")
    service.stop(lease)
    services = service.app.state.services
    predict, found = services.estimator.predict, []

    def note(*arguments: Any, **options: Any) -> Any:
        with service.database.write():  # SQLite allows one at a time
            found.append(options["epochs_before"])
        return predict(*arguments, **options)

    monkeypatch.setattr(services.estimator, "predict", note)
    _retry(service, lease.job_id)
    assert found == [1]


@pytest.mark.parametrize("state", ["queued", "running", "succeeded"])
def test_only_failed_and_cancelled_jobs_can_be_retried(service: Service, state: str) -> None:
    if state == "queued":
        job_id = service.submit()
    else:
        lease = service.start_job()
        job_id = lease.job_id
        if state == "succeeded":
            service.succeed(lease)
    rows_before = service.rows()
    response = _post_retry(service, job_id)
    assert response.status_code == 409
    assert response.json()["allowed"] == ["failed", "cancelled"]
    assert service.rows() == rows_before


class TestWithoutAKey:
    def test_retry_that_has_not_finished_is_returned_again(
        self, service: Service, cancelled: str
    ) -> None:
        first = _retry(service, cancelled)
        assert _retry(service, cancelled) == first, "queued"
        lease = service.claim()
        assert _retry(service, cancelled) == first, "running"
        service.succeed(lease)
        assert _retry(service, cancelled) != first

    def test_retry_of_another_job_is_another_job(self, service: Service, cancelled: str) -> None:
        assert _retry(service, cancelled) != _retry(service, _submit_and_cancel(service))

    def test_retry_with_a_key_is_returned_too(self, service: Service, cancelled: str) -> None:
        assert _retry(service, cancelled, "k") == _retry(service, cancelled)

    def test_hundred_concurrent_requests_create_a_single_job(
        self, service: Service, cancelled: str
    ) -> None:
        assert len(_retry_concurrently(service, cancelled)) == 1
        assert service.rows()["jobs"] == 2


class TestWithAKey:
    def test_same_key_returns_the_same_job_even_after_its_end(
        self, service: Service, cancelled: str
    ) -> None:
        first = _retry(service, cancelled, "k")
        service.succeed(service.claim())
        assert _retry(service, cancelled, "k") == first
        assert service.rows()["jobs"] == 2

    def test_another_key_creates_another_job(self, service: Service, cancelled: str) -> None:
        assert _retry(service, cancelled, "k") != _retry(service, cancelled, "l")

    def test_hundred_concurrent_requests_create_a_single_job(
        self, service: Service, cancelled: str
    ) -> None:
        assert len(_retry_concurrently(service, cancelled, "k")) == 1
        assert service.rows()["jobs"] == 2

    def test_key_of_another_request_is_refused(self, service: Service, cancelled: str) -> None:
        other = _submit_and_cancel(service)
        _retry(service, cancelled, "k")
        service.post("/v1/jobs", SPEC, **{"Idempotency-Key": "l"})
        rows_before = service.rows()
        submission = service.post("/v1/jobs", SPEC, **{"Idempotency-Key": "k"})
        retries = (_post_retry(service, other, "k"), _post_retry(service, cancelled, "l"))
        for response in (*retries, submission):
            assert response.status_code == 422
            assert response.json()["type"] == "urn:trainshed:problem:idempotency-mismatch"
        assert service.rows() == rows_before

    @pytest.mark.parametrize("key", ["", "k" * 256, "a b"])
    def test_invalid_key_is_refused(self, service: Service, cancelled: str, key: str) -> None:
        rows_before = service.rows()
        assert _post_retry(service, cancelled, key).status_code == 400
        assert service.rows() == rows_before

    def test_key_is_documented(self, service: Service) -> None:
        paths = service.client.get("/openapi.json").json()["paths"]
        for path in ("/v1/jobs", "/v1/jobs/{job_id}/retry"):
            places = {
                parameter["name"]: parameter["in"]
                for parameter in paths[path]["post"]["parameters"]
            }
            assert places["idempotency-key"] == "header"
