"""A claim that reads the owners who are next starts the same job as a claim that reads all."""

import random
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.database import Database
from shared.jobs import attempts, claims
from shared.jobs.planning.box import Device, Policy
from shared.jobs.planning.plan import Entry
from shared.jobs.submission import Submission, submit
from tests.shared.specs import filled_in

POLICY = Policy()
OWNERS = [f"user{number}" for number in range(9)]
DEVICES = [Device(f"w/cuda:{number}", "h", 1_000.0, 1_000.0) for number in range(3)]


def _fill(database: Database, draw: random.Random) -> None:
    """Queue jobs of many owners: used and new, overdue and served, large and small."""
    at = now()
    users: list[dict[str, Any]] = [
        {
            "name": name,
            "role": "member",
            "limits": {},
            "created_at": at,
            "usage": draw.choice([0.0, draw.random() * 1e4]),
            "weight": draw.choice([0.5, 1.0, 1.0, 2.0]),
            "last_start_at": draw.choice([None, at - timedelta(hours=draw.randint(0, 30))]),
        }
        for name in OWNERS[:-1]  # the last has no account
    ]
    with database.write() as connection:
        connection.execute(sa.insert(tables.users), users)
        for _ in range(40):
            priority = draw.choice(["low", "normal", "normal", "high"])
            spec = filled_in(priority=priority)
            job_id, _ = submit(connection, Submission(owner=draw.choice(OWNERS), spec=spec))
            values = {
                "memory_mib": draw.choice([0.0, 400.0, 2_000.0]),
                "gpus": draw.choice([1, 1, 1, 2, 4]),
                "seconds_p50": draw.choice([None, draw.random() * 1e4]),
                "created_at": at - timedelta(hours=draw.randint(0, 40)),
            }
            update = sa.update(tables.jobs).where(tables.jobs.c.id == job_id)
            connection.execute(update.values(values))


def _propose(database: Database, first: int, monkeypatch: pytest.MonkeyPatch) -> Entry | None:
    monkeypatch.setattr(claims, "FIRST_OWNERS", first)
    with database.read() as connection:
        return claims.propose(connection, worker="w", devices=DEVICES, policy=POLICY)


def _check(database: Database, seed: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Claim until nothing starts; return how many jobs started."""
    draw = random.Random(seed)
    _fill(database, draw)
    running: list[attempts.Lease] = []
    started = 0
    while True:
        found = [_propose(database, count, monkeypatch) for count in (1, 2, 4, 1_000)]
        jobs = [None if entry is None else (entry.job.id, entry.devices) for entry in found]
        assert len(set(jobs)) == 1, jobs
        if found[0] is None and not running:
            return started
        with database.write() as connection:
            if found[0] is None or (running and draw.random() < 0.3):
                attempts.succeed(connection, running.pop(), {})
                continue
            claimed = claims.take(connection, found[0], worker="w", host="h")
        assert claimed is not None
        running.append(claimed.lease)
        started += 1


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, 6))]
)
def test_the_next_job_does_not_depend_on_how_many_owners_are_read(
    database: Database, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    assert _check(database, seed, monkeypatch) > 5


def test_damaged_accounts_count_as_new(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL checks types")
    _fill(database, random.Random(1))
    with database.write() as connection:
        for name, column, value in (
            ("user0", "usage", "text"),
            ("user1", "weight", b"\x00"),
            ("user2", "last_start_at", "never"),
            ("user3", "usage", -5.0),
        ):
            text = f"UPDATE users SET {column} = :value WHERE name = :name"  # noqa: S608
            connection.execute(sa.text(text), {"value": value, "name": name})
    found = [_propose(database, count, monkeypatch) for count in (1, 2, 4, 1_000)]
    assert len({entry and entry.job.id for entry in found}) == 1
