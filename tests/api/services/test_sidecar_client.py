"""Concurrent requests to the sidecar: a bounded number, and nobody waits for the others."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from api.services import sidecar_client
from shared.errors import InvalidSpec
from tests.api.service import SPEC, TIMEOUT_SECONDS, Service
from tests.fakes.sidecar import accept_everything

LIMIT = sidecar_client.MAX_OPEN_REQUESTS
MANY = 3 * LIMIT


class HeldResponses:
    """A sidecar's responses, held back until they are released."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        self.release.wait(TIMEOUT_SECONDS)
        return accept_everything(request)


@pytest.fixture
def held(service: Service) -> Iterator[HeldResponses]:
    responses = HeldResponses()
    service.sidecar.respond = responses
    yield responses
    responses.release.set()


def _submit(service: Service, pool: ThreadPoolExecutor, *units: int) -> list[Future[Any]]:
    """Submit a job for each network."""
    networks = [{"name": "mlp", "hidden_units": [width]} for width in units]
    return [
        pool.submit(service.post, "/v1/jobs", {**SPEC, "architecture": network})
        for network in networks
    ]


def _results(futures: list[Future[httpx.Response]]) -> list[httpx.Response]:
    return [future.result(TIMEOUT_SECONDS) for future in futures]


def _wait_for_requests(service: Service, count: int) -> None:
    service.wait_until(lambda: len(service.sidecar.requests) == count, f"{count} requests")


def test_concurrent_requests_are_limited(
    service: Service, held: HeldResponses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidecar_client, "TURN_TIMEOUT_SECONDS", 0.05)
    with ThreadPoolExecutor(MANY) as pool:
        futures = _submit(service, pool, *range(1, MANY + 1))
        service.wait_until(
            lambda: sum(future.done() for future in futures) == MANY - LIMIT,
            "the requests beyond the limit",
        )
        _wait_for_requests(service, LIMIT)
        held.release.set()
        responses = _results(futures)
    assert len(service.sidecar.requests) == LIMIT
    refused = [response for response in responses if response.status_code == 503]
    assert len(refused) == MANY - LIMIT
    assert all(response.headers["retry-after"] for response in refused)
    assert {response.status_code for response in responses if response not in refused} == {202}
    assert service.rows()["jobs"] == LIMIT


def test_waiting_caller_uses_a_response_that_arrived_meanwhile(
    service: Service, held: HeldResponses
) -> None:
    with ThreadPoolExecutor(MANY) as pool:
        futures = _submit(service, pool, *[7] * MANY)
        _wait_for_requests(service, LIMIT)
        held.release.set()
        assert {response.status_code for response in _results(futures)} == {202}
    assert len(service.sidecar.requests) == LIMIT


def test_cached_response_needs_no_free_request(service: Service, held: HeldResponses) -> None:
    held.release.set()
    service.submit()
    held.release.clear()
    with ThreadPoolExecutor(LIMIT) as pool:
        futures = _submit(service, pool, *range(1, LIMIT + 1))
        _wait_for_requests(service, LIMIT + 1)
        service.submit()
        assert not any(future.done() for future in futures)
        held.release.set()
        assert {response.status_code for response in _results(futures)} == {202}


def test_other_routes_have_threads_while_the_sidecar_is_busy(
    service: Service, held: HeldResponses
) -> None:
    crowd = 60  # more than the threads of all other routes
    with ThreadPoolExecutor(crowd) as pool:
        futures = _submit(service, pool, *range(1, crowd + 1))
        _wait_for_requests(service, LIMIT)
        assert service.client.get("/v1/jobs").status_code == 200
        assert not any(future.done() for future in futures)
        held.release.set()
        assert {response.status_code for response in _results(futures)} == {202}


def test_a_confirmation_is_repeated_for_some_seconds_and_a_refusal_never(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()
    refused: dict[str, Any] = {"ok": False, "faults": [{"pointer": "/dataset", "detail": "gone"}]}

    def respond(request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request["operation"])
        return refused if len(asked) in (1, 3) else accept_everything(request)

    service.sidecar.respond = respond
    client = service.app.state.services.sidecar
    with pytest.raises(InvalidSpec):
        client.confirm("dataset", {"name": "cifar10"})
    for _ in range(3):
        client.confirm("dataset", {"name": "cifar10"})
    assert len(asked) == 2, "once refused, once confirmed"
    monkeypatch.setattr(sidecar_client, "CONFIRMED_SECONDS", 0.0)
    client._confirmed.clear()
    with pytest.raises(InvalidSpec):
        client.confirm("dataset", {"name": "cifar10"})
