import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from shared.database import Database
from shared.jobs import attempts, changes, control
from shared.jobs.liveness import read_spec
from tests.worker.runner.installation import Installation
from worker.runner import heartbeat
from worker.runner.heartbeat import Heartbeat


class LimitedClock:
    """Replaces `time`: blocks the heartbeat's thread, which never ends, after some beats."""

    def __init__(self, beats: int) -> None:
        self.remaining = beats
        self.is_over = threading.Event()

    def sleep(self, _: float) -> None:
        self.remaining -= 1
        if not self.remaining:
            self.is_over.set()
            threading.Event().wait()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path)
    yield installation
    installation.database.close()


def _beats(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(sa.select(tables.live.c.beat)).scalar_one()


def test_checks_run_after_each_recorded_beat(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.submit()
    lease = installation.claim().lease
    clock, beats = LimitedClock(3), list[int]()
    monkeypatch.setattr(heartbeat, "time", clock)
    Heartbeat(installation.database, lease, lambda: beats.append(_beats(installation.database)))
    assert clock.is_over.wait(30)
    assert beats == [1, 2, 3]


def test_a_check_that_raises_does_not_stop_the_heartbeat(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check() -> None:
        raise RuntimeError("check failed")

    job_id = installation.submit()
    lease = installation.claim().lease
    with installation.database.write() as connection:
        control.request_cancel(connection, job_id)
    clock = LimitedClock(3)
    monkeypatch.setattr(heartbeat, "time", clock)
    running = Heartbeat(installation.database, lease, check)
    assert clock.is_over.wait(30)
    assert _beats(installation.database) == 3
    assert running.cancel.is_set()


def test_each_beat_brings_the_stored_specification_which_is_read_when_it_changes(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change_after_two_beats() -> None:
        if len(specs) == 2:
            with installation.database.write() as connection:
                row = installation.job(job_id)
                changes.change(connection, row, {"max_runtime_seconds": 7})

    def read_counted(*arguments: Any) -> Any:
        reads.append(len(specs))
        return read_spec(*arguments)

    job_id = installation.submit()
    lease = installation.claim().lease
    first = installation.job(job_id).spec
    clock, specs, reads = LimitedClock(4), list[Any](), list[int]()
    monkeypatch.setattr(heartbeat, "time", clock)
    monkeypatch.setattr(heartbeat, "read_spec", read_counted)
    Heartbeat(installation.database, lease, change_after_two_beats, on_spec=specs.append)
    assert clock.is_over.wait(30)
    second = installation.job(job_id).spec
    assert second["resources"]["max_runtime_seconds"] == 7
    assert specs == [first, first, second, second]
    assert reads == [0, 2], "once for each specification"


def test_no_beat_follows_the_write_that_ends_the_attempt(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.submit()
    lease = installation.claim().lease
    exits = list[None]()
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.0)
    monkeypatch.setattr(heartbeat, "exit_fenced", lambda: exits.append(None))
    beating = Heartbeat(installation.database, lease)
    beating.stop()
    with installation.database.write() as connection:
        attempts.succeed(connection, lease, {})
    beating.thread.join(30)
    assert not beating.thread.is_alive()
    assert not exits
