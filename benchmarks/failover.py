"""A host is cut off: how long until its job trains on the other host, at the default lease."""

import statistics
import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from benchmarks.measurement import Measurement, MissingRequirement, against_limit
from shared import tables
from shared.jobs import liveness
from shared.settings import Settings
from tests.conftest import postgresql_answers, postgresql_database
from tests.two_hosts import Hosts, NoNamespaces, two_hosts
from worker.dispatch.reaper import LEASE_NAME

ROUNDS = 20
LEASE_SECONDS = Settings.model_fields["lease_seconds"].default
#: What the other host may take once the lease is over, and the limit of both.
START_SECONDS = 10.0
LIMIT_SECONDS = LEASE_SECONDS + START_SECONDS
#: Until the spare of the other host is ready, as on an idle host.
IDLE_SECONDS = 5.0
SPEC: dict[str, Any] = {
    "dataset": {"name": "digits", "image_size": 16},
    "architecture": {"name": "vgg_small", "widths": [8, 16], "hidden_units": [32]},
    "training": {"epochs": 100_000, "batch_size": 8},
}


def measure() -> Iterator[Measurement]:
    """Yield the median and the 95th percentile from the cut to the next step on the other host."""
    away = postgresql_answers()
    if away is not None:
        raise MissingRequirement(f"PostgreSQL: {away}")
    try:
        with (
            postgresql_database(None) as url,
            two_hosts(url, TRAINSHED_LEASE_SECONDS=str(LEASE_SECONDS)) as hosts,
        ):
            seconds = list(_failovers(hosts))
    except NoNamespaces as missing:
        raise MissingRequirement(str(missing)) from missing
    name = "failover of a cut-off host's job, {} from the cut to a step on the other host"
    ratio_of = f"seconds / lease of {LEASE_SECONDS:.0f} s + {START_SECONDS:.0f} s"
    yield against_limit(name.format("median"), seconds, LIMIT_SECONDS, ratio_of=ratio_of, unit="s")
    p95 = statistics.quantiles(seconds, n=20)[-1]
    name = name.format(f"p95 of {len(seconds)}")
    yield against_limit(name, [p95], LIMIT_SECONDS, ratio_of=ratio_of, unit="s")


def _failovers(hosts: Hosts) -> Iterator[float]:
    """Yield the seconds of each failover; in every second one, the worker that leads is cut off."""
    hosts.start_second()
    job_id = _start_on_second(hosts)
    leader = _leader(hosts)
    hosts.first.start("worker")
    for number in range(ROUNDS):
        if number:
            # The first host is still busy, so the next job starts on the second
            earlier, job_id = job_id, _start_on_second(hosts)
            hosts.first.cancel(earlier)
            hosts.first.finish(earlier)
        if number % 2 == 0:
            _let_lead(hosts, leader)
        yield _cut_off(hosts, job_id)
        hosts.link.set_up(True)
    hosts.first.cancel(job_id)
    hosts.first.finish(job_id)


def _leader(hosts: Hosts) -> str:
    with hosts.first.database.read() as connection:
        found = liveness.get_leader(connection, LEASE_NAME)
    assert found is not None
    return found[0]


def _let_lead(hosts: Hosts, holder: str) -> None:
    with hosts.first.database.write() as connection:
        connection.execute(sa.update(tables.leases).values(holder=holder))


def _start_on_second(hosts: Hosts) -> str:
    """Start a job on the second host; return its id when it has a checkpoint."""
    box = hosts.first
    box.wait_until(lambda: hosts.state("second") == "free", "the second host")
    job_id = box.submit(SPEC, notify=False)
    box.wait_until(lambda: box.last_step(job_id) > 0, "a checkpoint")
    assert [row.worker for row in box.attempts(job_id)] == ["second"]
    return job_id


def _cut_off(hosts: Hosts, job_id: str) -> float:
    """Cut the second host off; return the seconds until its job trains on the idle first host."""
    box = hosts.first
    box.wait_until(lambda: hosts.state("first") == "free", "the first host")
    time.sleep(IDLE_SECONDS)
    hosts.link.set_up(False)
    cut_at = time.monotonic()
    box.wait_until(lambda: _trains_on_first(hosts, job_id), "a step on the first host")
    return time.monotonic() - cut_at


def _trains_on_first(hosts: Hosts, job_id: str) -> bool:
    """Return whether the second attempt has taken a step."""
    attempts = hosts.first.attempts(job_id)
    if len(attempts) == 1:
        return False
    assert attempts[1].worker == "first"
    return hosts.first.step(job_id) > attempts[1].first_step > 0
