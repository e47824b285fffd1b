"""`POST /v1/jobs/{id}/retry` is idempotent: by its key, or while the retry has not ended."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.api.service import SPEC, Service


@pytest.fixture
def cancelled(service: Service) -> str:
    """A job that can be retried."""
    return _cancelled(service)


def _cancelled(service: Service) -> str:
    job_id = service.submit()
    service.post(f"/v1/jobs/{job_id}/cancel")
    return job_id


def _retry(service: Service, job_id: str, key: str | None = None) -> httpx.Response:
    given = {} if key is None else {"Idempotency-Key": key}
    return service.post(f"/v1/jobs/{job_id}/retry", **given)


def _retried(service: Service, job_id: str, key: str | None = None) -> str:
    answer = _retry(service, job_id, key)
    assert answer.status_code == 202, answer.text
    assert answer.json()["retry_of"] == job_id
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    return answer.json()["id"]


def _at_once(service: Service, job_id: str, key: str | None = None) -> set[str]:
    """What a hundred who ask at once are given."""
    given = {} if key is None else {"Idempotency-Key": key}
    at, headers = f"/v1/jobs/{job_id}/retry", {**service.client.headers, **given}
    with (  # connections of its own: none is left that the service closes later
        httpx.Client(base_url=service.client.base_url, headers=headers, timeout=30) as client,
        ThreadPoolExecutor(32) as pool,
    ):
        answers = pool.map(lambda _: client.post(at).raise_for_status(), range(100))
        return {answer.json()["id"] for answer in answers}


class TestWithoutAKey:
    def test_a_retry_that_has_not_ended_is_given_again(
        self, service: Service, cancelled: str
    ) -> None:
        first = _retried(service, cancelled)
        assert _retried(service, cancelled) == first, "it waits"
        lease = service.claim()
        assert _retried(service, cancelled) == first, "it runs"
        service.succeed(lease)
        assert _retried(service, cancelled) != first

    def test_that_of_another_job_is_not(self, service: Service, cancelled: str) -> None:
        assert _retried(service, cancelled) != _retried(service, _cancelled(service))

    def test_one_with_a_key_is_given_again_too(self, service: Service, cancelled: str) -> None:
        assert _retried(service, cancelled, "k") == _retried(service, cancelled)

    def test_a_hundred_at_once_are_one_job(self, service: Service, cancelled: str) -> None:
        assert len(_at_once(service, cancelled)) == 1
        assert service.rows()["jobs"] == 2


class TestWithAKey:
    def test_the_same_is_the_same_job_also_after_its_end(
        self, service: Service, cancelled: str
    ) -> None:
        first = _retried(service, cancelled, "k")
        service.succeed(service.claim())
        assert _retried(service, cancelled, "k") == first
        assert service.rows()["jobs"] == 2

    def test_another_is_another_job(self, service: Service, cancelled: str) -> None:
        assert _retried(service, cancelled, "k") != _retried(service, cancelled, "l")

    def test_a_hundred_at_once_are_one_job(self, service: Service, cancelled: str) -> None:
        assert len(_at_once(service, cancelled, "k")) == 1
        assert service.rows()["jobs"] == 2

    def test_what_it_was_used_for_elsewhere_is_refused(
        self, service: Service, cancelled: str
    ) -> None:
        other = _cancelled(service)
        _retried(service, cancelled, "k")
        service.post("/v1/jobs", SPEC, **{"Idempotency-Key": "l"})
        before = service.rows()
        body = service.post("/v1/jobs", SPEC, **{"Idempotency-Key": "k"})
        for answer in (_retry(service, other, "k"), _retry(service, cancelled, "l"), body):
            assert answer.status_code == 422
            assert answer.json()["type"] == "urn:trainshed:problem:idempotency-mismatch"
        assert service.rows() == before

    @pytest.mark.parametrize("key", ["", "k" * 256, "a b"])
    def test_one_that_is_none_is_refused(self, service: Service, cancelled: str, key: str) -> None:
        before = service.rows()
        assert _retry(service, cancelled, key).status_code == 400
        assert service.rows() == before

    def test_the_document_has_it(self, service: Service) -> None:
        paths = service.client.get("/openapi.json").json()["paths"]
        for path in ("/v1/jobs", "/v1/jobs/{job_id}/retry"):
            named = {one["name"]: one["in"] for one in paths[path]["post"]["parameters"]}
            assert named["idempotency-key"] == "header"
