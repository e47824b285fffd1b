"""Claims keep the limits of people; disabled people start nothing."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.accounts import users
from shared.clock import now
from shared.database import Database
from shared.jobs import attempts, claims, used_days
from shared.jobs.planning.box import Device, Policy
from shared.jobs.planning.plan import plan
from shared.jobs.read_box import read_box
from shared.jobs.submission import Submission, submit
from tests.shared.specs import filled_in

DEVICES = [Device(f"w/cpu:{number}", "h") for number in range(8)]


def _add(database: Database, owner: str, jobs: int = 1, **limits: Any) -> None:
    with database.write() as connection:
        users.add_user(connection, owner, "member", weight=1.0, limits=limits)
        for _ in range(jobs):
            submit(connection, Submission(owner=owner, spec=filled_in()))


def _claim(database: Database, policy: Policy) -> Any:
    busy = [each for each in DEVICES if each.id.partition("/")[2] not in _used(database)]
    return claims.claim_next(database, worker="w", host="h", devices=busy, policy=policy)


def _used(database: Database) -> set[str]:
    with database.read() as connection:
        return {name for names in connection.execute(sa.select(tables.live.c.devices)).scalars()
                for name in names}  # fmt: skip


def _reasons(database: Database, policy: Policy) -> list[str | None]:
    with database.read() as connection:
        box = read_box(connection, policy, worker="w", devices=DEVICES)
        return [entry.reason for entry in plan(box).entries]


def test_as_many_jobs_run_as_the_settings_and_the_person_allow(database: Database) -> None:
    _add(database, "ada", 4)
    _add(database, "ben", 4, running=3)
    policy = Policy(limits={"running": 1})
    claimed = [_claim(database, policy) for _ in range(6)]
    assert [each is None for each in claimed] == [False] * 4 + [True] * 2
    assert _reasons(database, policy) == ["limit"] * 4
    with database.write() as connection:
        attempts.succeed(connection, claimed[0].lease, {})
    assert _claim(database, policy) is not None


def test_a_limit_below_what_runs_ends_nothing_and_starts_nothing(database: Database) -> None:
    _add(database, "ada", 3)
    assert all(_claim(database, Policy()) for _ in range(2))
    policy = Policy(limits={"running": 1})
    assert _claim(database, policy) is None
    with database.read() as connection:
        query = sa.select(tables.jobs.c.state).order_by(tables.jobs.c.id)
        assert [*connection.execute(query).scalars()] == ["running", "running", "queued"]


def test_of_two_workers_that_planned_the_last_job_only_one_starts_it(database: Database) -> None:
    _add(database, "ada", 2, running=1)
    parts: dict[str, Any] = {"worker": "w", "devices": DEVICES, "policy": Policy()}
    with database.read() as connection:
        first = claims.propose(connection, **parts)
        assert first is not None
        second = claims.propose(connection, **parts, passed={first.job.id})
    assert second is not None
    assert second.job.id != first.job.id
    taken = []
    for entry in (first, second):
        with database.write() as connection:
            taken.append(claims.take(connection, entry, worker="w", host="h"))
    assert [each is not None for each in taken] == [True, False]


def test_jobs_wait_while_the_device_time_of_the_week_is_used(database: Database) -> None:
    _add(database, "ada", 1, device_seconds_week=100)
    with database.write() as connection:
        used_days.add(connection, "ada", now() - timedelta(days=7), 500.0, is_high=False)
        used_days.add(connection, "ada", now() - timedelta(days=6), 99.0, is_high=False)
    assert _reasons(database, Policy()) == [None]
    with database.write() as connection:
        used_days.add(connection, "ada", now(), 1.0, is_high=False)
    assert _reasons(database, Policy()) == ["limit"]
    assert _claim(database, Policy()) is None


def test_jobs_of_a_disabled_person_wait_until_the_account_is_enabled(database: Database) -> None:
    _add(database, "ada", 2)
    _add(database, "ben")
    with database.write() as connection:
        users.disable_user(connection, "ada")
    assert _reasons(database, Policy()) == [None, "limit", "limit"]
    assert _claim(database, Policy()) is not None
    assert _claim(database, Policy()) is None
    with database.write() as connection:
        users.update_user(connection, "ada", {"disabled_at": None})
    assert _claim(database, Policy()) is not None
