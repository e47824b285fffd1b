"""Jobs that share a device: what each is charged, and what a job gets that needs more memory."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.database import Database
from shared.jobs import attempts, claims, device_shares, ledger, retry_policy
from shared.jobs.attempts import Lease
from shared.jobs.planning.box import Device, Policy
from shared.jobs.read_box import read_box
from shared.jobs.submission import Submission, submit
from tests.shared.specs import filled_in

DEVICE = Device("w/cuda:0", "h", 24_000.0, 24_000.0)
POLICY = Policy(jobs_per_device=4)


def _start(database: Database, memory_mib: float = 4_000.0) -> Lease | None:
    """Submit a job, and claim it on the device if it fits."""
    spec = filled_in()
    with database.write() as connection:
        submit(connection, Submission(owner="admin", spec=spec, memory_mib=memory_mib))
    claimed = claims.claim_next(database, worker="w", host="h", devices=[DEVICE], policy=POLICY)
    return None if claimed is None else claimed.lease


def _begin_ago(database: Database, seconds: float) -> None:
    begun = now() - timedelta(seconds=seconds)
    with database.write() as connection:
        values = {"started_at": begun, "charged_until": begun}
        connection.execute(sa.update(tables.attempts).values(values))


def _device_seconds(database: Database) -> list[float]:
    columns = tables.attempts.c
    with database.read() as connection:
        query = sa.select(columns.device_seconds).order_by(columns.job_id)
        return [row[0] for row in connection.execute(query)]


def _usage(database: Database) -> float:
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.sum(tables.users.c.usage))).scalar_one()


def test_two_jobs_share_a_device_where_both_limits_fit(database: Database) -> None:
    assert _start(database) is not None
    assert _start(database) is not None
    assert _start(database, 17_000.0) is None, "24,000 - 512 - 2 x 4,000 is less"


def test_the_charges_of_all_jobs_on_a_device_are_its_busy_time(database: Database) -> None:
    first = _start(database)
    assert first is not None
    _begin_ago(database, 100)
    assert _start(database) is not None
    assert device_shares.divide(database, "w") == 2
    assert device_shares.divide(database, "w") == 0, "nothing has changed"
    _begin_ago(database, 200)  # both, from the same time on
    at = now()
    with database.write() as connection:
        for job in (first, Lease(_other(database, first), 1)):
            ledger.charge(connection, job.job_id, job.attempt, at)
    alone, _ = _device_seconds(database)
    assert alone == pytest.approx(100 + 100, abs=2), "100 s alone and half of 200 s"
    with database.write() as connection:
        attempts.succeed(connection, first, {})
    assert device_shares.divide(database, "w") == 1
    with database.read() as connection:
        query = sa.select(tables.attempts.c.share).where(tables.attempts.c.ended_at.is_(None))
        assert connection.execute(query).scalars().all() == [1.0]


def test_a_shared_device_that_fails_gives_back_what_was_charged(database: Database) -> None:
    first, second = _start(database), _start(database)
    assert first is not None
    assert second is not None
    device_shares.divide(database, "w")
    _begin_ago(database, 200)
    with database.write() as connection:
        connection.execute(
            sa.update(tables.attempts).values(device_seconds=0.0, charged_seconds=0.0)
        )
        connection.execute(sa.update(tables.users).values(usage=0.0))
    for lease in (first, second):
        with database.write() as connection:
            attempts.stop(connection, lease, "device_fault")
    with database.write() as connection:
        assert ledger.settle(connection) == 2
    assert _usage(database) == pytest.approx(0, abs=0.01)
    assert sum(_device_seconds(database)) == pytest.approx(200, abs=2)


def test_what_is_not_charged_yet_counts_by_shares(database: Database) -> None:
    _start(database)
    _start(database)
    _begin_ago(database, 100)
    with database.read() as connection:
        box = read_box(connection, POLICY)
    assert box.owners["admin"].usage == pytest.approx(100, rel=0.05)


def test_a_job_that_needs_more_gets_more_twice_and_then_a_device_for_itself(
    database: Database,
) -> None:
    planned = []
    lease = _start(database)
    for _ in range(3):
        assert lease is not None
        with database.write() as connection:
            state = retry_policy.grow_memory(connection, lease, largest_mib=23_000.0, exit_code=18)
        assert state == "queued"
        with database.read() as connection:
            planned.append(connection.execute(sa.select(tables.jobs.c.memory_mib)).scalar_one())
        claimed = claims.claim_next(database, worker="w", host="h", devices=[DEVICE], policy=POLICY)
        lease = None if claimed is None else claimed.lease
    assert planned == [6_000.0, 9_000.0, 0.0]


def test_a_job_is_never_planned_more_than_its_device_has(database: Database) -> None:
    lease = _start(database, 20_000.0)
    assert lease is not None
    with database.write() as connection:
        retry_policy.grow_memory(connection, lease, largest_mib=23_000.0, exit_code=18)
        query = sa.select(tables.jobs.c.memory_mib)
        assert connection.execute(query).scalar_one() == 0.0


def test_kinds_that_are_kept_apart_do_not_share_a_device(database: Database) -> None:
    first = _start(database)
    assert first is not None
    with database.write() as connection:
        connection.execute(sa.update(tables.jobs).values(cost_kind="a"))
        submit(connection, Submission(owner="admin", spec=filled_in(), memory_mib=1_000.0))
        waiting = tables.jobs.c.state == "queued"
        connection.execute(sa.update(tables.jobs).where(waiting).values(cost_kind="b"))
    pair = frozenset({frozenset({"a", "b"})})
    device = Device("w/cuda:0", "h", 24_000.0, 24_000.0, apart=pair)
    with database.read() as connection:
        assert claims.propose(connection, worker="w", devices=[device], policy=POLICY) is None
        assert claims.propose(connection, worker="w", devices=[DEVICE], policy=POLICY)


def _other(database: Database, lease: Lease) -> str:
    with database.read() as connection:
        query = sa.select(tables.jobs.c.id).where(tables.jobs.c.id != lease.job_id)
        return connection.execute(query).scalar_one()
