"""What attempts are charged to their owners, and refunds."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.database import Database
from shared.jobs import attempts, claims, ledger
from shared.jobs.attempts import Lease
from shared.jobs.planning.box import Policy
from shared.jobs.read_box import read_box
from tests.shared.claiming import add_users, claim_lease, propose, submit_job


def _usage(database: Database, owner: str) -> float:
    with database.read() as connection:
        users = tables.users.c
        query = sa.select(users.usage).where(users.name == owner)
        return connection.execute(query).scalar_one()


def _start_ago(database: Database, lease: Lease, seconds: float) -> None:
    begun, columns = now() - timedelta(seconds=seconds), tables.attempts.c
    update = sa.update(tables.attempts).where(columns.job_id == lease.job_id)
    with database.write() as connection:
        connection.execute(update.values(started_at=begun, charged_until=begun))


def test_an_attempt_is_charged_once_for_all_its_time(database: Database) -> None:
    add_users(database, ada=0.0)
    submit_job(database, "ada")
    lease = claim_lease(database)
    assert lease is not None
    _start_ago(database, lease, 600)
    at = now()
    for until in (at - timedelta(seconds=300), at, at):
        with database.write() as connection:
            ledger.charge(connection, lease.job_id, lease.attempt, until)
    with database.write() as connection:
        attempts.succeed(connection, lease, {})
    with database.write() as connection:
        assert [ledger.settle(connection) for _ in range(2)] == [1, 0]
    assert _usage(database, "ada") == pytest.approx(600, rel=0.05)
    with database.read() as connection:
        seconds = connection.execute(sa.select(tables.attempts.c.device_seconds)).scalar_one()
    assert seconds == pytest.approx(600, rel=0.05)


def test_a_job_of_two_devices_holds_both_and_is_charged_for_both(database: Database) -> None:
    add_users(database, ada=0.0)
    job_id = submit_job(database, "ada", resources={"gpus": 2})
    assert propose(database, "cpu:0") is None
    planned = propose(database, "cpu:0", "cpu:1")
    assert planned is not None
    with database.write() as connection:
        claimed = claims.take(connection, planned, worker="w", host="h")
    assert claimed is not None
    assert (claimed.device, claimed.further_devices) == ("cpu:0", ("cpu:1",))
    _start_ago(database, claimed.lease, 600)
    with database.write() as connection:
        ledger.charge(connection, job_id, 1, now())
    assert _usage(database, "ada") == pytest.approx(1200, rel=0.05)


@pytest.mark.parametrize(("outcome", "share"), [("worker_lost", 0.0), ("drained", 1.0)])
def test_a_loss_that_is_not_the_owners_fault_is_not_charged(
    database: Database, outcome: str, share: float
) -> None:
    add_users(database, ada=0.0)
    submit_job(database, "ada")
    lease = claim_lease(database)
    assert lease is not None
    _start_ago(database, lease, 600)
    with database.write() as connection:
        attempts.stop(connection, lease, outcome)
    with database.write() as connection:
        ledger.settle(connection)
    assert _usage(database, "ada") == pytest.approx(600 * share, rel=0.05, abs=1e-3)


def test_what_runs_counts_before_it_is_charged(database: Database) -> None:
    add_users(database, ada=0.0)
    submit_job(database, "ada")
    lease = claim_lease(database)
    assert lease is not None
    _start_ago(database, lease, 600)
    with database.read() as connection:
        box = read_box(connection, Policy())
    assert box.owners["ada"].usage == pytest.approx(600, rel=0.05)


def test_a_rebase_keeps_what_everybody_has_used_as_it_counts_now(database: Database) -> None:
    add_users(database, ada=800.0, ben=400.0)
    begun = now() - timedelta(days=2)
    with database.write() as connection:
        connection.execute(sa.update(tables.ledger).values(begins_at=begun))
        assert ledger.rebase(connection, 3_600.0)
        assert not ledger.rebase(connection, 3_600.0)
        current = ledger.read_ledger(connection)
    assert current.half_life_seconds == 3_600.0
    assert _usage(database, "ada") == pytest.approx(200, rel=0.01)
    assert _usage(database, "ben") == pytest.approx(100, rel=0.01)


def test_a_refund_holds_though_the_worker_charges_the_lost_attempt_later(
    database: Database,
) -> None:
    """A worker that was cut off still has the runner of an attempt that was given up."""
    add_users(database, ada=0.0)
    submit_job(database, "ada")
    lease = claim_lease(database)
    assert lease is not None
    _start_ago(database, lease, 600)
    with database.write() as connection:
        attempts.stop(connection, lease, "worker_lost")
    later = now() + timedelta(seconds=60)
    with database.write() as connection:
        ledger.charge(connection, lease.job_id, lease.attempt, later)
    for _ in range(2):
        with database.write() as connection:
            ledger.settle(connection)
        with database.write() as connection:
            ledger.charge(connection, lease.job_id, lease.attempt, later)
    assert _usage(database, "ada") == pytest.approx(0, abs=1e-3)


def test_a_refund_gives_back_what_was_charged_though_the_priority_changed_since(
    database: Database,
) -> None:
    add_users(database, ada=0.0)
    submit_job(database, "ada", priority="high")
    lease = claim_lease(database)
    assert lease is not None
    _start_ago(database, lease, 600)
    with database.write() as connection:
        ledger.charge(connection, lease.job_id, lease.attempt, now())
        connection.execute(sa.update(tables.jobs).values(priority=-10))
        attempts.stop(connection, lease, "worker_lost")
    assert _usage(database, "ada") == pytest.approx(1_200, rel=0.05)
    with database.write() as connection:
        ledger.settle(connection)
    assert _usage(database, "ada") == pytest.approx(0, abs=0.1)


def test_attempts_with_damaged_times_do_not_keep_others_from_being_charged(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL checks types")
    monkeypatch.setattr(ledger, "MAX_SETTLED", 2)
    add_users(database, ada=0.0)
    leases: list[Lease] = []
    for _ in range(4):
        submit_job(database, "ada")
        lease = claim_lease(database)
        assert lease is not None
        _start_ago(database, lease, 600)
        with database.write() as connection:
            attempts.succeed(connection, lease, {})
        leases.append(lease)
    damaged = "UPDATE attempts SET ended_at = 'when it was over' WHERE job_id IN (:first, :second)"
    with database.write() as connection:
        values = {"first": leases[0].job_id, "second": leases[1].job_id}
        connection.execute(sa.text(damaged), values)
    for _ in range(2):
        with database.write() as connection:
            ledger.settle(connection)
    with database.read() as connection:
        assert not ledger.is_any_uncharged(connection)
    assert _usage(database, "ada") == pytest.approx(1_200, rel=0.05)


def test_two_leaders_refund_a_lost_attempt_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second leader has read the list of what is to be settled before the first commits."""
    add_users(database, ada=0.0)
    submit_job(database, "ada")
    lease = claim_lease(database)
    assert lease is not None
    _start_ago(database, lease, 600)
    with database.write() as connection:
        ledger.charge(connection, lease.job_id, lease.attempt, now())
        attempts.stop(connection, lease, "worker_lost")
    read, is_first = ledger._charged, True

    def read_late(connection: sa.Connection, job_id: str, attempt: int) -> object:
        nonlocal is_first
        if is_first:
            is_first = False
            ledger.settle(connection)
        return read(connection, job_id, attempt)

    monkeypatch.setattr(ledger, "_charged", read_late)
    with database.write() as connection:
        ledger.settle(connection)
    assert _usage(database, "ada") == pytest.approx(0, abs=1e-3)


def test_a_charge_and_a_rebase_at_once_keep_what_was_used(database: Database) -> None:
    """A charge computed for the ledger before a rebase would count 2^90 times after it."""
    if database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    add_users(database, ada=0.0)
    submit_job(database, "ada")
    lease = claim_lease(database)
    assert lease is not None
    _start_ago(database, lease, 600)
    with database.write() as connection:
        begun = now() - timedelta(days=90)
        connection.execute(sa.update(tables.ledger).values(begins_at=begun))

    def rebase() -> None:
        with database.write() as connection:
            ledger.rebase(connection, 3_600.0)

    thread = threading.Thread(target=rebase)
    with database.write() as connection:
        ledger.charge(connection, lease.job_id, lease.attempt, now())
        thread.start()
        thread.join(0.5)
    thread.join()
    with database.read() as connection:
        current = ledger.read_ledger(connection)
    assert current.half_life_seconds == 3_600.0
    used = current.decayed(_usage(database, "ada"), now().timestamp())
    assert used == pytest.approx(600, rel=0.2)
