"""Jobs that give way, and the races of a yield with everything else, in both orders."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.database import Database
from shared.errors import Failure
from shared.ids import new_id
from shared.jobs import (
    attempts,
    control,
    events,
    ledger,
    liveness,
    recording,
    retry_policy,
    time_sharing,
)
from shared.jobs.attempts import Lease
from shared.jobs.planning.box import Policy, Rank
from shared.jobs.planning.yielding import Yield
from shared.jobs.recording import Batch
from shared.jobs.rows import JobRow
from shared.jobs.submission import Submission, submit
from tests.shared.interleaving import interleave
from tests.shared.specs import filled_in
from tests.worker.jobs import claimed, claimed_again, job

CRASH = Failure(kind="crashed", message="signal 11", hint="check the log")
POLICY = Policy(time_sharing="exact")


def _waiting(database: Database, owner: str = "ben") -> str:
    with database.write() as connection:
        return submit(connection, Submission(owner=owner, spec=filled_in()))[0]


def _request(connection: sa.Connection, lease: Lease, to: str) -> bool:
    found = Yield(lease.job_id, lease.attempt, to, Rank.NORMAL)
    return time_sharing.request_yield(connection, found)


#: What may happen to a running job, by name.
ACTIONS: dict[str, Callable[[Any, Lease, str], object]] = {
    "yield": _request,
    "withdraw": lambda c, lease, _: time_sharing.withdraw_yield(c, lease),
    "pause": lambda c, lease, _: control.request_pause(c, lease.job_id),
    "resume": lambda c, lease, _: control.resume(c, lease.job_id),
    "cancel": lambda c, lease, _: control.request_cancel(c, lease.job_id),
    "finish": lambda c, lease, _: attempts.succeed(c, lease, {}),
    "drain": lambda c, lease, _: attempts.stop(c, lease, "drained"),
    "be killed": lambda c, lease, _: attempts.stop(c, lease, "worker_lost"),
    "crash": lambda c, lease, _: retry_policy.record_death(
        c, lease, "crashed", CRASH, exit_code=-11
    ),
    "exit": lambda c, lease, _: attempts.stop(c, lease, "yielded"),
    "take the job": lambda c, _, to: control.request_cancel(c, to),
}


@pytest.fixture
def lease(database: Database) -> Lease:
    return claimed(database)


@pytest.fixture
def to(database: Database, lease: Lease) -> str:
    """A waiting job; the lease's job runs."""
    return _waiting(database)


def _do(database: Database, lease: Lease, to: str, *actions: str) -> JobRow:
    for action in actions:
        with database.write() as connection:
            ACTIONS[action](connection, lease, to)
    return job(database, lease)


def _beat(database: Database, lease: Lease) -> liveness.HeartbeatResponse:
    with database.write() as connection:
        return liveness.record_heartbeat(connection, lease, pid=1, progress={"step": 1})


def _events(database: Database, lease: Lease) -> list[tuple[str, Any]]:
    with database.read() as connection:
        rows = events.list_events(connection, lease.job_id)
    return [(row.type, row.data.get("reason")) for row in rows]


def test_a_job_that_gives_way_waits_again_by_itself(
    database: Database, lease: Lease, to: str
) -> None:
    assert not _beat(database, lease).is_yield_requested
    row = _do(database, lease, to, "yield", "yield")
    assert (row.state, row.phase, row.pause_requested_at) == ("running", "yielding", None)
    assert _beat(database, lease).is_yield_requested
    row = _do(database, lease, to, "exit")
    assert (row.state, row.phase, row.reason) == ("queued", None, "yielded")
    assert _events(database, lease)[2:] == [("yield_requested", None), ("state", "yielded")]
    with database.write() as connection:
        control.request_cancel(connection, to)
    again = claimed_again(database)
    assert again == Lease(lease.job_id, 2)
    assert not _beat(database, again).is_yield_requested, "the request was for the first attempt"


def test_a_new_phase_does_not_hide_that_the_job_gives_way(
    database: Database, lease: Lease, to: str
) -> None:
    _do(database, lease, to, "yield")
    with database.write() as connection:
        recording.record(connection, lease, Batch(phase="evaluating"))
    assert job(database, lease).phase == "yielding"


def test_a_request_is_withdrawn_once_the_other_job_no_longer_waits(
    database: Database, lease: Lease, to: str
) -> None:
    with database.write() as connection:
        recording.record(
            connection, lease, Batch(events=[events.NewEvent("stage", {"stage": "x"})])
        )
    _do(database, lease, to, "yield")
    with database.read() as connection:
        assert time_sharing.list_needless(connection) == []
    _do(database, lease, to, "take the job")
    with database.read() as connection:
        assert time_sharing.list_needless(connection) == [lease]
    row = _do(database, lease, to, "withdraw", "withdraw")
    assert (row.state, row.phase) == ("running", "x")
    assert not _beat(database, lease).is_yield_requested
    assert _events(database, lease)[-1] == ("yield_withdrawn", None)


def test_a_job_is_not_requested_to_give_way_to_nobody_nor_in_another_attempt(
    database: Database, lease: Lease, to: str
) -> None:
    with database.write() as connection:
        assert not _request(connection, lease, new_id("job"))
        assert not _request(connection, replace(lease, attempt=2), to)
    assert job(database, lease).phase == "preflight"


def test_a_job_resumed_while_it_gives_way_still_gives_way(
    database: Database, lease: Lease, to: str
) -> None:
    row = _do(database, lease, to, "yield", "pause")
    assert row.phase == "pausing"
    assert _do(database, lease, to, "resume").phase == "yielding"


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        ("yield", "cancel", "cancelled"),
        ("cancel", "yield", "cancelled"),
        ("yield", "pause", "paused"),
        ("pause", "yield", "paused"),
        ("yield", "drain", "queued"),
        ("drain", "yield", "queued"),
        ("yield", "be killed", "queued"),
        ("be killed", "yield", "queued"),
        ("yield", "crash", "queued"),
        ("crash", "yield", "queued"),
        ("yield", "finish", "succeeded"),
        ("finish", "yield", "succeeded"),
        ("yield", "withdraw", "queued"),
        ("withdraw", "yield", "queued"),
        ("yield", "yield", "queued"),
        ("exit", "cancel", "cancelled"),
        ("cancel", "exit", "cancelled"),
        ("exit", "pause", "paused"),
        ("pause", "exit", "paused"),
    ],
)
def test_races_of_a_yield(
    database: Database, lease: Lease, to: str, first: str, second: str, state: str
) -> None:
    """The second action begins while the first is not committed; a job that still runs stops."""
    interleave(
        database,
        lambda c: ACTIONS[first](c, lease, to),
        lambda c: ACTIONS[second](c, lease, to),
    )
    row = job(database, lease)
    if row.state == "running":
        row = _do(database, lease, to, "exit")
    assert row.state == state
    assert [kind for kind, _ in _events(database, lease)].count("yield_requested") <= 1
    if state == "queued":
        with database.write() as connection:
            control.request_cancel(connection, to)
        assert not _beat(database, claimed_again(database)).is_yield_requested


def test_a_yield_is_charged_in_full_and_its_switch_is_measured(
    database: Database, lease: Lease, to: str
) -> None:
    _beat(database, lease)
    _do(database, lease, to, "yield", "exit")
    started_at = now() - timedelta(seconds=100)
    attempt, live = tables.attempts.c, tables.live.c
    with database.write() as connection:
        connection.execute(
            sa.update(tables.attempts)
            .where(attempt.job_id == lease.job_id)
            .values(
                started_at=started_at,
                charged_until=started_at,
                ended_at=started_at + timedelta(seconds=90),
            )
        )
        connection.execute(
            sa.update(tables.live)
            .where(live.job_id == lease.job_id)
            .values(
                stepped_at=started_at + timedelta(seconds=3),
                yield_requested_at=started_at + timedelta(seconds=88),
            )
        )
        time_sharing.record_switch(connection, lease)
        ledger.settle(connection)
        query = sa.select(attempt.switch_seconds, attempt.device_seconds, attempt.outcome)
        row = connection.execute(query.where(attempt.job_id == lease.job_id)).one()
    assert row.switch_seconds == pytest.approx(5.0)
    assert row.device_seconds == pytest.approx(90.0)
    assert row.outcome == "yielded"


def _age(database: Database, lease: Lease, seconds: float, *, stepped: bool = True) -> None:
    """Let the attempt have begun so long ago."""
    at, attempt = now() - timedelta(seconds=seconds), tables.attempts.c
    with database.write() as connection:
        connection.execute(
            sa.update(tables.attempts)
            .where(attempt.job_id == lease.job_id, attempt.number == lease.attempt)
            .values(started_at=at, charged_until=at)
        )
        connection.execute(
            sa.update(tables.live)
            .where(tables.live.c.job_id == lease.job_id)
            .values(stepped_at=at + timedelta(seconds=2) if stepped else None)
        )


@pytest.fixture
def device(database: Database) -> None:
    """The device of the running job, and no other."""
    with database.write() as connection:
        cpu = {"name": "cpu:0", "model": "CPU", "uuid": "", "memory_mib": 0}
        liveness.record_worker(connection, worker="w", host="h", pid=1, devices=[cpu])


def _proposed(database: Database, policy: Policy = POLICY) -> list[Yield]:
    with database.read() as connection:
        return time_sharing.propose_yields(connection, policy)


@pytest.mark.usefixtures("device")
def test_who_gives_way_is_read_from_the_database(database: Database, lease: Lease, to: str) -> None:
    _age(database, lease, 1_000)
    assert _proposed(database) == [], "its quantum is not over"
    _age(database, lease, 2_000, stepped=False)
    assert _proposed(database) == [], "its start still takes as long as it runs"
    _age(database, lease, 2_000)
    assert _proposed(database, Policy(time_sharing="off")) == []
    found = _proposed(database)
    assert found == [Yield(lease.job_id, 1, to, Rank.NORMAL)]
    with database.write() as connection:
        assert time_sharing.request_yield(connection, found[0])
    assert _proposed(database) == [], "it stops already"


@pytest.mark.usefixtures("device")
def test_a_job_whose_switches_take_long_has_a_longer_quantum(
    database: Database, lease: Lease, to: str
) -> None:
    _age(database, lease, 2_000)
    with database.write() as connection:
        connection.execute(sa.update(tables.attempts).values(switch_seconds=200.0))
    assert _proposed(database) == []
    _age(database, lease, 19 * 200 + 10)
    assert [each.to for each in _proposed(database)] == [to]


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize(
    ("device_name", "deterministic", "yields"),
    [("cpu:0", False, True), ("cuda:0", True, True), ("cuda:0", False, False)],
)
def test_a_job_that_would_not_continue_bit_for_bit_does_not_give_way(
    database: Database, lease: Lease, to: str, device_name: str, deterministic: bool, yields: bool
) -> None:
    _age(database, lease, 2_000)
    spec = {**job(database, lease).spec, "training": {"deterministic": deterministic}}
    with database.write() as connection:
        device = {"name": device_name, "model": "x", "uuid": "", "memory_mib": 0}
        liveness.record_worker(connection, worker="w", host="h", pid=1, devices=[device])
        connection.execute(sa.update(tables.live).values(devices=[device_name]))
        update = sa.update(tables.jobs).where(tables.jobs.c.id == lease.job_id)
        connection.execute(update.values(spec=spec))
    assert [each.to for each in _proposed(database)] == [to] * yields
    assert [each.to for each in _proposed(database, Policy(time_sharing="all"))] == [to]
