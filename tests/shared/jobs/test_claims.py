"""Claims by the plan: the order between owners, and races."""

import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.database import Database
from shared.jobs import claims, control
from shared.jobs.attempts import Lease
from shared.jobs.planning.box import Device, Policy
from tests.shared.claiming import add_users, claim_lease, propose, submit_job

POLICY = Policy()


def test_the_person_who_used_less_is_first_and_people_alternate(database: Database) -> None:
    add_users(database, ada=5_000.0, ben=0.0)
    ada = [submit_job(database, "ada") for _ in range(2)]
    ben = [submit_job(database, "ben") for _ in range(12)]
    claimed = [lease.job_id for _ in range(14) if (lease := claim_lease(database))]
    # A job without a prediction counts ten minutes: ben's ninth exceeds what ada has used.
    assert claimed == [*ben[:9], ada[0], ben[9], ada[1], *ben[10:]]


def test_a_job_that_changes_after_it_was_planned_is_not_taken(database: Database) -> None:
    first, second = submit_job(database), submit_job(database)
    planned = propose(database, "cpu:0")
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
    submit_job(database)
    planned = propose(database, "cpu:0")
    assert planned is not None
    with database.write() as connection:
        connection.execute(sa.update(tables.jobs).values({column: 10}))
    with database.write() as connection:
        assert claims.take(connection, planned, worker="w", host="h") is None


def test_a_busy_or_closed_device_gets_no_job(database: Database) -> None:
    submit_job(database)
    submit_job(database)
    assert claim_lease(database) is not None
    assert propose(database, "cpu:0") is None
    closed = replace(Device("w/cpu:1", "h"), closed="quarantined")
    with database.read() as connection:
        assert claims.propose(connection, worker="w", devices=[closed], policy=POLICY) is None
    assert propose(database, "cpu:0", "cpu:1") is not None


def test_a_job_that_another_transaction_has_locked_does_not_stop_the_queue(
    database: Database,
) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite locks no rows")
    first, second = submit_job(database), submit_job(database)
    devices = [Device("w/cpu:0", "h")]
    with database.write() as connection:
        columns = tables.jobs.c
        connection.execute(sa.select(columns.id).where(columns.id == first).with_for_update())
        claimed = claims.claim_next(database, worker="w", host="h", devices=devices, policy=POLICY)
    assert claimed is not None
    assert claimed.lease.job_id == second


def test_the_name_of_a_worker_may_have_a_slash(database: Database) -> None:
    submit_job(database)
    devices = [Device("lab/w/cpu:0", "h")]
    claimed = claims.claim_next(database, worker="lab/w", host="h", devices=devices, policy=POLICY)
    assert claimed is not None
    assert claimed.device == "cpu:0"


def test_three_dispatchers_at_once_claim_each_job_once(database: Database) -> None:
    add_users(database, **{f"user{number}": 0.0 for number in range(5)})
    jobs = {submit_job(database, f"user{number % 5}") for number in range(60)}
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
    add_users(database, ada=0.0)
    job = submit_job(database, "ada")
    assert claim_lease(database) == Lease(job, 1)
    with database.read() as connection:
        served = connection.execute(
            sa.select(tables.users.c.last_start_at).where(tables.users.c.name == "ada")
        ).scalar_one()
    assert now() - served < timedelta(minutes=1)
