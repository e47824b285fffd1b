"""Claims by the plan: the order between owners, races, and the charges of what ran."""

import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.database import Database
from shared.jobs import attempts, claims, control, ledger
from shared.jobs.attempts import Lease
from shared.jobs.planning.box import Device, Policy
from shared.jobs.planning.plan import Entry
from shared.jobs.read_box import read_box
from shared.jobs.submission import Submission, submit
from shared.jobs.waiting import Lines
from tests.shared.claiming import claim
from tests.shared.specs import filled_in

POLICY = Policy()


def _submit(database: Database, owner: str = "admin", **changes: object) -> str:
    with database.write() as connection:
        return submit(connection, Submission(owner=owner, spec=filled_in(**changes)))[0]


def _add_users(database: Database, **usage: float) -> None:
    rows = [
        {"name": name, "role": "member", "usage": value, "limits": {}, "created_at": now()}
        for name, value in usage.items()
    ]
    with database.write() as connection:
        connection.execute(sa.insert(tables.users), rows)


def _claim(database: Database) -> Lease | None:
    with database.write() as connection:
        claimed = claim(connection)
    return None if claimed is None else claimed.lease


def _usage(database: Database, owner: str) -> float:
    with database.read() as connection:
        users = tables.users.c
        query = sa.select(users.usage).where(users.name == owner)
        return connection.execute(query).scalar_one()


def _propose(database: Database, *names: str) -> Entry | None:
    devices = [Device(f"w/{name}", "h") for name in names]
    with database.read() as connection:
        return claims.propose(connection, worker="w", devices=devices, policy=POLICY)


def _start_ago(database: Database, lease: Lease, seconds: float) -> None:
    begun, columns = now() - timedelta(seconds=seconds), tables.attempts.c
    update = sa.update(tables.attempts).where(columns.job_id == lease.job_id)
    with database.write() as connection:
        connection.execute(update.values(started_at=begun, charged_until=begun))


def test_the_person_who_used_less_is_first_and_people_alternate(database: Database) -> None:
    _add_users(database, ada=5_000.0, ben=0.0)
    ada = [_submit(database, "ada") for _ in range(2)]
    ben = [_submit(database, "ben") for _ in range(12)]
    claimed = [lease.job_id for _ in range(14) if (lease := _claim(database))]
    # A job without a prediction counts ten minutes: ben's ninth exceeds what ada has used.
    assert claimed == [*ben[:9], ada[0], ben[9], ada[1], *ben[10:]]


def test_a_job_that_changes_after_it_was_planned_is_not_taken(database: Database) -> None:
    first, second = _submit(database), _submit(database)
    planned = _propose(database, "cpu:0")
    assert planned is not None
    assert planned.job.id == first
    with database.write() as connection:
        control.request_cancel(connection, first)
    with database.write() as connection:
        assert claims.take(connection, planned, worker="w", host="h") is None
    devices = [Device("w/cpu:0", "h")]
    claimed = claims.claim_next(database, worker="w", host="h", devices=devices, policy=POLICY)
    assert claimed is not None
    assert (claimed.lease.job_id, claimed.device) == (second, "cpu:0")


@pytest.mark.parametrize("column", ["priority", "memory_mib"])
def test_a_job_whose_planned_values_changed_is_planned_again(
    database: Database, column: str
) -> None:
    _submit(database)
    planned = _propose(database, "cpu:0")
    assert planned is not None
    with database.write() as connection:
        connection.execute(sa.update(tables.jobs).values({column: 10}))
    with database.write() as connection:
        assert claims.take(connection, planned, worker="w", host="h") is None


def test_a_busy_or_closed_device_gets_no_job(database: Database) -> None:
    _submit(database)
    _submit(database)
    assert _claim(database) is not None
    assert _propose(database, "cpu:0") is None
    closed = replace(Device("w/cpu:1", "h"), closed="quarantined")
    with database.read() as connection:
        assert claims.propose(connection, worker="w", devices=[closed], policy=POLICY) is None
    assert _propose(database, "cpu:0", "cpu:1") is not None


def test_a_job_that_another_transaction_has_locked_does_not_stop_the_queue(
    database: Database,
) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite locks no rows")
    first, second = _submit(database), _submit(database)
    devices = [Device("w/cpu:0", "h")]
    with database.write() as connection:
        columns = tables.jobs.c
        connection.execute(sa.select(columns.id).where(columns.id == first).with_for_update())
        claimed = claims.claim_next(database, worker="w", host="h", devices=devices, policy=POLICY)
    assert claimed is not None
    assert claimed.lease.job_id == second


def test_the_name_of_a_worker_may_have_a_slash(database: Database) -> None:
    _submit(database)
    devices = [Device("lab/w/cpu:0", "h")]
    claimed = claims.claim_next(database, worker="lab/w", host="h", devices=devices, policy=POLICY)
    assert claimed is not None
    assert claimed.device == "cpu:0"


def test_three_dispatchers_at_once_claim_each_job_once(database: Database) -> None:
    _add_users(database, **{f"user{number}": 0.0 for number in range(5)})
    jobs = {_submit(database, f"user{number % 5}") for number in range(60)}
    claimed: list[str] = []

    def run(worker: str) -> None:
        devices = [Device(f"{worker}/cuda:{number}", worker) for number in range(60)]
        while True:
            found = claims.claim_next(
                database, worker=worker, host=worker, devices=devices, policy=POLICY
            )
            if found is None:
                return
            claimed.append(found.lease.job_id)

    threads = [threading.Thread(target=run, args=(f"w{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(claimed) == Counter(dict.fromkeys(jobs, 1))


def test_only_the_start_of_an_owners_first_job_counts_as_served(database: Database) -> None:
    _add_users(database, ada=0.0)
    job = _submit(database, "ada")
    assert _claim(database) == Lease(job, 1)
    with database.read() as connection:
        served = connection.execute(
            sa.select(tables.users.c.last_start_at).where(tables.users.c.name == "ada")
        ).scalar_one()
    assert now() - served < timedelta(minutes=1)


def test_an_attempt_is_charged_once_for_all_its_time(database: Database) -> None:
    _add_users(database, ada=0.0)
    _submit(database, "ada")
    lease = _claim(database)
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
    _add_users(database, ada=0.0)
    job_id = _submit(database, "ada", resources={"gpus": 2})
    assert _propose(database, "cpu:0") is None
    planned = _propose(database, "cpu:0", "cpu:1")
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
    _add_users(database, ada=0.0)
    _submit(database, "ada")
    lease = _claim(database)
    assert lease is not None
    _start_ago(database, lease, 600)
    with database.write() as connection:
        attempts.stop(connection, lease, outcome)
    with database.write() as connection:
        ledger.settle(connection)
    assert _usage(database, "ada") == pytest.approx(600 * share, rel=0.05, abs=1e-3)


def test_what_runs_counts_before_it_is_charged(database: Database) -> None:
    _add_users(database, ada=0.0)
    _submit(database, "ada")
    lease = _claim(database)
    assert lease is not None
    _start_ago(database, lease, 600)
    with database.read() as connection:
        box = read_box(connection, POLICY)
    assert box.owners["ada"].usage == pytest.approx(600, rel=0.05)


def test_a_rebase_keeps_what_everybody_has_used_as_it_counts_now(database: Database) -> None:
    _add_users(database, ada=800.0, ben=400.0)
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
    _add_users(database, ada=0.0)
    _submit(database, "ada")
    lease = _claim(database)
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
    _add_users(database, ada=0.0)
    _submit(database, "ada", priority="high")
    lease = _claim(database)
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
    _add_users(database, ada=0.0)
    leases: list[Lease] = []
    for _ in range(4):
        _submit(database, "ada")
        lease = _claim(database)
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
    _add_users(database, ada=0.0)
    _submit(database, "ada")
    lease = _claim(database)
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
    _add_users(database, ada=0.0)
    _submit(database, "ada")
    lease = _claim(database)
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


def test_all_jobs_of_all_owners_are_read_in_the_owners_order(database: Database) -> None:
    """Check pages: more jobs than a page has, of more owners than are read at once."""
    expected: dict[str, list[str]] = {}
    for number in range(45):
        count = 25 if number < 2 else 2
        owner = f"user{number:02}"
        low = [_submit(database, owner, priority="low") for _ in range(count)]
        high = _submit(database, owner, priority="high")
        expected[owner] = [high, *low]
    with database.read() as connection:
        lines = Lines(connection).by_owner()
        found = {owner: [job.id for job in line] for owner, line in lines.items()}
    assert found == expected
