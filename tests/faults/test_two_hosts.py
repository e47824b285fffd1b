"""Workers on two hosts: a pause, a cut connection, clocks and versions that differ."""
# pyright: reportOptionalSubscript=false

import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from shared.broker import ring
from shared.clock import now
from shared.jobs import control, liveness, queries
from tests.faults.conftest import LONG, SPEC, STEPS_PER_EPOCH
from tests.two_hosts import Hosts, NoNamespaces, two_hosts

pytestmark = [pytest.mark.faults, pytest.mark.long]

ALONE = {**SPEC, "diagnostics": "off"}
#: What `wrong_clock/` writes to the logs of the second host, whose clock is ahead by so much.
CLOCK_SECONDS, NOTE = 30, "this clock is wrong by 30 s"


@pytest.fixture
def hosts(postgresql_url: str) -> Iterator[Hosts]:
    try:
        with two_hosts(postgresql_url) as found:
            yield found
    except NoNamespaces as missing:
        pytest.skip(str(missing))


def orphans(hosts: Hosts, job_id: str) -> set[str]:
    """Return the directories of the first attempt's checkpoints to which no row refers."""
    storage = hosts.first.storage
    with hosts.first.database.read() as connection:
        used = queries.list_directories(connection, job_id)
    return {storage.relative(path) for path in storage.attempt(job_id, 1).glob("*/")} - used


def test_a_job_paused_on_one_host_resumes_on_the_other_in_the_same_bits(hosts: Hosts) -> None:
    box = hosts.first
    hosts.start_second()
    box.wait_until(lambda: hosts.state("second") == "free", "the second host")
    job_id = box.submit(ALONE, notify=False)
    box.wait_until(lambda: box.last_step(job_id) > STEPS_PER_EPOCH, "the second epoch")
    (first,) = box.attempts(job_id)
    assert (first.worker, first.host) == ("second", "second")
    assert abs((now() - first.started_at).total_seconds()) < CLOCK_SECONDS / 2, "one clock"
    for log in ("worker", "spares"):
        assert NOTE in hosts.second.log(log).read_text()
    with box.database.write() as connection:
        control.request_pause(connection, job_id)
    box.wait_until(lambda: box.job(job_id).state == "paused", "the pause")
    hosts.stop_second()
    box.start("worker")
    with box.database.write() as connection:
        control.resume(connection, job_id)
    ring(box.celery)
    job = box.finish(job_id)
    assert job.state == "succeeded", job.failure
    assert [row.worker for row in box.attempts(job_id)] == ["second", "first"]
    assert job.result["resumed_inexact"] is False
    alone = box.submit(ALONE)
    assert box.finish(alone).state == "succeeded"
    assert box.outcome(job_id)["weights"] == box.outcome(alone)["weights"]


def test_a_host_that_is_cut_off_loses_its_job_and_writes_nothing_afterwards(hosts: Hosts) -> None:
    box = hosts.first
    hosts.start_second()
    box.wait_until(lambda: hosts.state("second") == "free", "the second host")
    job_id = box.submit(LONG, notify=False)
    box.wait_until(lambda: box.last_step(job_id) > 0, "a checkpoint")
    box.start("worker")
    box.wait_until(lambda: hosts.state("first") == "free", "the first host")
    hosts.link.set_up(False)
    cut_at = time.monotonic()
    box.wait_until(lambda: len(box.attempts(job_id)) == 2, "the attempt of the first host")
    seconds = time.monotonic() - cut_at
    assert seconds <= box.settings.lease_seconds + 30
    box.wait_until(lambda: hosts.state("second") == "away", "its devices to be away")
    first, second = box.attempts(job_id)
    assert (first.outcome, second.worker) == ("worker_lost", "first")
    hosts.link.set_up(True)
    # Its runner finds itself fenced, and its worker offers its device again
    log = box.storage.log(job_id, 1)
    box.wait_until(lambda: "no longer holds its job" in log.read_text(), "the fenced runner")
    box.wait_until(lambda: hosts.state("second") == "free", "the second host again")
    assert box.attempts(job_id)[0] == first
    assert len(box.attempts(job_id)) == 2
    box.wait_until(lambda: not orphans(hosts, job_id), "no checkpoint without a row")
    box.cancel(job_id)
    assert box.finish(job_id).state == "cancelled"


def test_a_worker_of_another_version_does_not_start(hosts: Hosts) -> None:
    box = hosts.first
    with box.database.write() as connection:
        liveness.record_worker(
            connection, worker="first", host="one", pid=1, devices=[], version="0123456789ab"
        )
        # Seen again in a while, so that the second worker has time to start
        workers: Any = tables.workers
        later = sa.update(workers).values(seen_at=now().replace(year=now().year + 1))
        connection.execute(later)
    hosts.start_second()
    assert hosts.process is not None
    assert hosts.process.wait(60) != 0
    text = hosts.second.log("worker").read_text()
    assert "the worker 'first' on the host one has 0123456789ab" in text
