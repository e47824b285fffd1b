"""Many who ask the sidecar at once: some have their turn, nobody is blamed for the others."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from api.services import sidecar_client
from tests.api.service import SPEC, TIMEOUT_SECONDS, Service
from tests.fakes.sidecar import accept_everything

MANY = 3 * sidecar_client.AT_ONCE


class Held:
    """A sidecar that answers once it is let go on."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def __call__(self, question: dict[str, Any]) -> dict[str, Any]:
        self.go_on.wait(TIMEOUT_SECONDS)
        return accept_everything(question)


@pytest.fixture
def held(service: Service) -> Iterator[Held]:
    made = Held()
    service.sidecar.respond = made
    yield made
    made.go_on.set()


def _submit(service: Service, asking: ThreadPoolExecutor, *units: int) -> list[Future[Any]]:
    """A submission for each network."""
    networks = [{"name": "mlp", "hidden_units": [one]} for one in units]
    return [
        asking.submit(service.post, "/v1/jobs", {**SPEC, "architecture": one}) for one in networks
    ]


def _answers(there: list[Future[httpx.Response]]) -> list[httpx.Response]:
    return [one.result(TIMEOUT_SECONDS) for one in there]


def test_no_more_ask_at_once_than_the_desk_can_hear(
    service: Service, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidecar_client, "TURN_SECONDS", 0.05)
    with ThreadPoolExecutor(MANY) as asking:
        there = _submit(service, asking, *range(1, MANY + 1))
        service.wait_until(
            lambda: sum(one.done() for one in there) == MANY - sidecar_client.AT_ONCE,
            "those without a turn",
        )
        service.wait_until(
            lambda: len(service.sidecar.requests) == sidecar_client.AT_ONCE, "those with one"
        )
        held.go_on.set()
        answers = _answers(there)
    assert len(service.sidecar.requests) == sidecar_client.AT_ONCE
    refused = [one for one in answers if one.status_code == 503]
    assert len(refused) == MANY - sidecar_client.AT_ONCE
    assert all(one.headers["retry-after"] for one in refused)
    assert {one.status_code for one in answers if one not in refused} == {202}
    assert service.rows()["jobs"] == sidecar_client.AT_ONCE


def test_whoever_waits_for_a_turn_hears_what_was_answered_meanwhile(
    service: Service, held: Held
) -> None:
    with ThreadPoolExecutor(MANY) as asking:
        there = _submit(service, asking, *[7] * MANY)
        service.wait_until(
            lambda: len(service.sidecar.requests) == sidecar_client.AT_ONCE, "the first who ask"
        )
        held.go_on.set()
        assert {one.status_code for one in _answers(there)} == {202}
    assert len(service.sidecar.requests) == sidecar_client.AT_ONCE


def test_whoever_asks_something_known_needs_no_turn(service: Service, held: Held) -> None:
    held.go_on.set()
    service.submit()
    held.go_on.clear()
    with ThreadPoolExecutor(sidecar_client.AT_ONCE) as asking:
        there = _submit(service, asking, *range(1, sidecar_client.AT_ONCE + 1))
        service.wait_until(
            lambda: len(service.sidecar.requests) == sidecar_client.AT_ONCE + 1, "those who ask"
        )
        service.submit()
        assert not any(one.done() for one in there)
        held.go_on.set()
        assert {one.status_code for one in _answers(there)} == {202}


def test_whoever_asks_nothing_has_a_thread_meanwhile(service: Service, held: Held) -> None:
    crowd = 60  # more than the threads there are for everything else
    with ThreadPoolExecutor(crowd) as asking:
        there = _submit(service, asking, *range(1, crowd + 1))
        service.wait_until(
            lambda: len(service.sidecar.requests) == sidecar_client.AT_ONCE, "those who ask"
        )
        assert service.client.get("/v1/jobs").status_code == 200
        assert not any(one.done() for one in there)
        held.go_on.set()
        assert {one.status_code for one in _answers(there)} == {202}
