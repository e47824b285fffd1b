"""A place in the queue is known at once, and no number of requests reads the queue all the time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from api.services.queue_order import FRESH_SECONDS, MOST_EXTRA, QueueOrder
from tests.api.service import SPEC, Service


@contextmanager
def _reading(engine: sa.Engine, seconds: float = 0) -> Iterator[list[str]]:
    """The readings of the queue there are, each taking so much longer."""
    read: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "ORDER BY jobs.priority DESC" in statement:
            read.append(statement)
            time.sleep(seconds)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield read
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def test_a_job_has_its_place_also_right_after_somebody_asked(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "api.services.queue_order.EXTRA_SECONDS", 60.0
    )  # a loaded machine reads slowly
    for place in (1, 2, 3):
        job_id = service.submit()
        assert service.job(job_id)["queue_position"] == place
    newest = service.client.get("/v1/jobs").json()["data"]
    assert [job["queue_position"] for job in newest] == [3, 2, 1]


def test_many_who_ask_for_what_does_not_wait_read_the_queue_a_few_times(service: Service) -> None:
    order = QueueOrder(service.database)
    with _reading(service.database.engine) as read:
        began = time.monotonic()
        for _ in range(500):
            assert order.position("job_of_nobody") is None
        turns = 1 + int((time.monotonic() - began) / FRESH_SECONDS)
    assert len(read) <= turns * (1 + MOST_EXTRA)


def test_a_queue_that_takes_its_time_is_read_once_more_at_most(service: Service) -> None:
    order = QueueOrder(service.database)
    with _reading(service.database.engine, seconds=0.15) as read:
        began = time.monotonic()
        for _ in range(50):
            order.position("job_of_nobody")
        turns = 1 + int((time.monotonic() - began) / FRESH_SECONDS)
    assert len(read) <= 2 * turns


def test_a_submission_does_not_read_the_queue_for_itself(service: Service) -> None:
    service.job(service.submit())
    with _reading(service.app.state.services.database.engine) as read:
        began = time.monotonic()
        for _ in range(5):
            service.post("/v1/jobs", SPEC)
        turns = 1 + int((time.monotonic() - began) / FRESH_SECONDS)
    assert len(read) <= turns
