"""When an attempt counts as silent, by a clock that the test moves."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.database import Database
from shared.jobs import attempts, control, liveness
from shared.jobs.attempts import Lease
from shared.jobs.submission import Submission, submit
from shared.settings import Settings
from tests.databases import make_tables
from tests.fakes.clock import Clock
from tests.fakes.dispatcher import FakeDispatcher
from tests.shared.specs import filled_in
from tests.worker.jobs import claimed, job
from worker.dispatch.reaper import LEADER_TIMEOUT_SECONDS, ROUND_SECONDS, Reaper
from worker.locks import job_lock
from worker.runner import observed_duration

LEASE_SECONDS = 20


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(observed_duration, "time", clock)
    return clock


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path, lease_seconds=LEASE_SECONDS)
    settings.make_directories()
    return settings


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database, pool_size=2)
    make_tables(database)
    yield database
    database.close()


def _reaper(settings: Settings, database: Database, worker: str = "w") -> Reaper:
    dispatcher: Any = FakeDispatcher(worker)
    return Reaper(settings, database, dispatcher)


def _rounds(reaper: Reaper, clock: Clock, seconds: float) -> None:
    for _ in range(int(seconds / ROUND_SECONDS)):
        clock.now += ROUND_SECONDS
        reaper._reap()


def test_a_silent_attempt_of_another_machine_is_given_up_after_its_lease(
    settings: Settings, database: Database, lease: Lease, clock: Clock
) -> None:
    reaper = _reaper(settings, database)
    reaper._reap()
    _rounds(reaper, clock, LEASE_SECONDS - ROUND_SECONDS)
    assert job(database, lease).state == "running"
    _rounds(reaper, clock, ROUND_SECONDS)
    assert (job(database, lease).state, job(database, lease).reason) == (
        "queued",
        "worker_lost",
    )


def test_a_new_leader_knows_how_long_an_attempt_was_silent(
    settings: Settings, database: Database, lease: Lease, clock: Clock
) -> None:
    """As where a host is cut off whose worker leads, and which has the attempt."""
    leader, other = (_reaper(settings, database, name) for name in ("leader", "other"))
    leader._act()
    other._act()
    silent_seconds = 0.0
    while job(database, lease).state == "running":
        assert silent_seconds <= LEASE_SECONDS, "the silence before it led counts"
        clock.now += ROUND_SECONDS
        silent_seconds += ROUND_SECONDS
        other._act()
    assert silent_seconds >= LEASE_SECONDS


def test_a_queued_job_notifies_the_dispatcher(settings: Settings, database: Database) -> None:
    dispatcher: Any = FakeDispatcher()
    reaper = Reaper(settings, database, dispatcher)
    reaper._reap()
    assert dispatcher.notifications == 0
    lease = claimed(database)
    with database.write() as connection:
        attempts.stop(connection, lease, "drained")
    reaper._reap()
    assert dispatcher.notifications == 1


def test_the_leader_requests_a_job_that_has_had_its_quantum_to_give_way_and_withdraws_it(
    settings: Settings, database: Database, lease: Lease
) -> None:
    with database.write() as connection:
        cpu = {"name": "cpu:0", "model": "CPU", "uuid": "", "memory_mib": 0}
        liveness.record_worker(connection, worker="w", host="h", pid=1, devices=[cpu])
        liveness.record_heartbeat(connection, lease, pid=1, progress={"step": 1})
        to, _ = submit(connection, Submission(owner="ben", spec=filled_in()))
    reaper = _reaper(settings, database)
    reaper._share_time()
    assert job(database, lease).phase == "preflight"
    with database.write() as connection:
        begin = now() - timedelta(seconds=2_000)
        values = {"started_at": begin, "charged_until": begin}
        connection.execute(sa.update(tables.attempts).values(values))
        connection.execute(sa.update(tables.live).values(stepped_at=begin))
    reaper._share_time()
    assert job(database, lease).phase == "yielding"
    with database.write() as connection:
        control.request_cancel(connection, to)
    reaper._share_time()
    assert job(database, lease).phase != "yielding"


def test_a_heartbeat_keeps_an_attempt_alive(
    settings: Settings, database: Database, lease: Lease, clock: Clock
) -> None:
    reaper = _reaper(settings, database)
    for _ in range(3):
        _rounds(reaper, clock, LEASE_SECONDS - ROUND_SECONDS)
        with database.write() as connection:
            liveness.record_heartbeat(connection, lease, pid=1, progress=None)
    assert job(database, lease).state == "running"


def test_an_hour_without_rounds_is_no_silence(
    settings: Settings, database: Database, lease: Lease, clock: Clock
) -> None:
    reaper = _reaper(settings, database)
    reaper._reap()
    clock.now += 3600
    reaper._reap()
    assert job(database, lease).state == "running"
    _rounds(reaper, clock, LEASE_SECONDS)
    assert job(database, lease).state == "queued"


def test_on_this_machine_the_lock_decides_and_not_the_heartbeat(
    settings: Settings, database: Database, lease: Lease, clock: Clock
) -> None:
    lock = job_lock(settings, lease.job_id)
    assert lock.acquire()
    reaper = _reaper(settings, database)
    reaper.host = "h"  # where the attempt runs
    assert reaper.host != socket.gethostname()
    _rounds(reaper, clock, 4 * LEASE_SECONDS)
    assert job(database, lease).state == "running"
    lock.release()
    reaper._reap()
    assert job(database, lease).state == "queued"


def test_one_reaper_leads_until_it_falls_silent(
    settings: Settings, database: Database, clock: Clock
) -> None:
    first, second = (_reaper(settings, database, name) for name in ("first", "second"))
    for _ in range(5):
        assert first._is_leader()
        assert not second._is_leader()
        clock.now += ROUND_SECONDS
    silent_since = clock.now - ROUND_SECONDS
    while not second._is_leader():
        clock.now += ROUND_SECONDS
    assert clock.now - silent_since == LEADER_TIMEOUT_SECONDS
    assert not first._is_leader()


def test_a_damaged_check_of_a_patch_stops_neither_other_checks_nor_the_round(
    settings: Settings, database: Database, lease: Lease
) -> None:
    check = {"job_id": lease.job_id, "finding_id": "fnd_1", "fork_id": "job_2", "null_id": "job_3"}
    checks = [
        {**check, "patch_id": "pat_1", "created_at": now(), "gain": sa.literal("much")},
        {**check, "patch_id": "pat_2", "created_at": now()},
    ]
    with database.write() as connection:
        for values in checks:
            connection.execute(sa.insert(tables.verifications).values(**values))
    reaper = _reaper(settings, database)
    reaper._reap()
    verdicts = sa.select(tables.verifications.c.patch_id, tables.verifications.c.verdict)
    with database.read() as connection:
        found = dict(connection.execute(verdicts).all())
    assert found == {"pat_1": None, "pat_2": "inconclusive"}
