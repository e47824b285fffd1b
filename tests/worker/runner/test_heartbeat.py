"""The heartbeat goes on whatever those who look on it do."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from shared import tables
from shared.database import Database
from shared.jobs import control
from tests.worker.runner.attempts import Box
from worker.runner import heartbeat
from worker.runner.heartbeat import Heartbeat


class Beats:
    """Stands for the clock: the pulse's thread, which never ends, rests after some beats."""

    def __init__(self, beats: int) -> None:
        self.left = beats
        self.are_over = threading.Event()

    def sleep(self, _: float) -> None:
        self.left -= 1
        if not self.left:
            self.are_over.set()
            threading.Event().wait()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path)
    yield box
    box.database.close()


def _beats(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(sa.select(tables.live.c.beat)).scalar_one()


def test_each_beat_that_arrived_is_followed_by_a_look(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.submit()
    lease = box.claim().lease
    beats, seen = Beats(3), list[int]()
    monkeypatch.setattr(heartbeat, "time", beats)
    Heartbeat(box.database, lease, lambda: seen.append(_beats(box.database)))
    assert beats.are_over.wait(30)
    assert seen == [1, 2, 3]


def test_a_look_that_fails_leaves_the_heartbeat_alone(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look() -> None:
        raise RuntimeError("no look")

    job_id = box.submit()
    lease = box.claim().lease
    with box.database.write() as connection:
        control.request_cancel(connection, job_id)
    beats = Beats(3)
    monkeypatch.setattr(heartbeat, "time", beats)
    beating = Heartbeat(box.database, lease, look)
    assert beats.are_over.wait(30)
    assert _beats(box.database) == 3
    assert beating.cancel.is_set()
