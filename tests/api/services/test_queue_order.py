"""Queue positions are current, and no number of requests makes the API read the queue often."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from api.services.queue_order import MAX_AGE_SECONDS, MAX_EXTRA_READS, QueueOrder
from shared.jobs.planning.plan import plan
from tests.api.service import SPEC, Service


@contextmanager
def _count_reads(engine: sa.Engine, extra_seconds: float = 0) -> Iterator[list[str]]:
    """Collect the reads of the queue, and lengthen each of them."""
    reads: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "WITH RECURSIVE j" in statement:
            reads.append(statement)
            time.sleep(extra_seconds)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield reads
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_new_job_has_its_position_right_after_another_read(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A loaded machine reads slowly.
    monkeypatch.setattr("api.services.queue_order.EXTRA_READS_SECONDS", 60.0)
    for position in (1, 2, 3):
        job_id = service.submit()
        assert service.job(job_id)["queue_position"] == position
    newest = service.client.get("/v1/jobs").json()["data"]
    assert [job["queue_position"] for job in newest] == [3, 2, 1]


def test_many_requests_for_unknown_jobs_read_the_queue_a_few_times(service: Service) -> None:
    queue_order = QueueOrder(service.database)
    with _count_reads(service.database.engine) as reads:
        began_at = time.monotonic()
        for _ in range(500):
            assert queue_order.position("job_unknown") is None
        regular_reads = 1 + int((time.monotonic() - began_at) / MAX_AGE_SECONDS)
    assert len(reads) <= regular_reads * (1 + MAX_EXTRA_READS)


def test_slow_queue_gets_a_single_extra_read(service: Service) -> None:
    queue_order = QueueOrder(service.database)
    with _count_reads(service.database.engine, extra_seconds=0.15) as reads:
        began_at = time.monotonic()
        for _ in range(50):
            queue_order.position("job_unknown")
        regular_reads = 1 + int((time.monotonic() - began_at) / MAX_AGE_SECONDS)
    assert len(reads) <= 2 * regular_reads


def test_submission_causes_no_extra_read(service: Service) -> None:
    service.job(service.submit())
    with _count_reads(service.app.state.services.database.engine) as reads:
        began_at = time.monotonic()
        for _ in range(5):
            service.post("/v1/jobs", SPEC)
        regular_reads = 1 + int((time.monotonic() - began_at) / MAX_AGE_SECONDS)
    assert len(reads) <= regular_reads


def test_positions_behind_the_plan_are_read_with_one_query_for_all(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.services.queue_order.MAX_CANDIDATES", 2)
    ids = [service.submit() for _ in range(6)]
    queue_order = QueueOrder(service.database)
    monkeypatch.setattr("api.services.queue_order.plan", lambda box: plan(box, depth=2))
    statements: list[str] = []
    queue_order.snapshot()
    event.listen(
        service.database.engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: statements.append(statement),
    )
    assert queue_order.positions(ids) == {each: place for place, each in enumerate(ids, start=1)}
    assert sum("row_number" in each for each in statements) == 1
    assert queue_order.positions(["job_unknown"]) == {}


def test_new_job_behind_the_plan_has_its_position_without_a_query(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.services.queue_order.MAX_CANDIDATES", 2)
    monkeypatch.setattr("api.services.queue_order.plan", lambda box: plan(box, depth=2))
    for priority in ("low", "normal", "normal", "high"):
        service.submit(priority=priority)
    queue_order = QueueOrder(service.database)
    queue_order.snapshot()
    queue_order.close()  # whose thread would read it again
    statements: list[str] = []
    event.listen(
        service.database.engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: statements.append(statement),
    )
    places = [queue_order.position_of_new("job_new", "admin", level) for level in (10, 0, -10)]
    assert places == [3, 4, 5], "behind the plan, and behind own jobs of the same priority"
    assert not statements


def test_a_long_queue_is_read_in_the_background_while_requests_need_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.services.queue_order.MAX_CANDIDATES", 2)
    monkeypatch.setattr("api.services.queue_order.plan", lambda box: plan(box, depth=2))
    monkeypatch.setattr("api.services.queue_order.MAX_AGE_SECONDS", 0.05)
    monkeypatch.setattr("api.services.queue_order.MAX_AGE_OF_LONG_SECONDS", 60.0)
    monkeypatch.setattr("api.services.queue_order.IDLE_SECONDS", 2.0)
    for _ in range(3):
        service.submit()
    queue_order = QueueOrder(service.database)
    threads: set[int] = set()
    first = queue_order.snapshot()

    def note(*_: Any) -> None:
        threads.add(threading.get_ident())

    event.listen(service.database.engine, "before_cursor_execute", note)
    try:
        service.wait_until(lambda: queue_order.snapshot() is not first, "another snapshot")
        assert threading.get_ident() not in threads, "no request reads it"
        refresher = queue_order._refresher
        assert refresher is not None
        service.wait_until(lambda: not refresher.is_alive(), "the end without requests")
    finally:
        event.remove(service.database.engine, "before_cursor_execute", note)
        queue_order.close()


def test_the_thread_of_a_long_queue_ends_with_the_service(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.services.queue_order.MAX_CANDIDATES", 2)
    monkeypatch.setattr("api.services.queue_order.plan", lambda box: plan(box, depth=2))
    for _ in range(3):
        service.submit()
    queue_order = QueueOrder(service.database)
    queue_order.snapshot()
    assert queue_order._refresher is not None
    assert queue_order._refresher.is_alive()
    queue_order.close()
    assert not queue_order._refresher.is_alive()
