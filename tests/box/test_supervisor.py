import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from box.preconditions import free_port
from box.processes import recall, started_at
from tests.box.stand_in import NAMES, PATIENCE_SECONDS, StandInBox, diary

BEGUN = tuple(f"{name} begins" for name in NAMES)


Start = Callable[..., StandInBox]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts boxes in one home; what a failed test leaves is killed."""
    started: list[StandInBox] = []

    def _start(**environment: str) -> StandInBox:
        started.append(StandInBox(tmp_path, free_port("127.0.0.1"), **environment))
        return started[-1]

    yield _start
    for box in started:
        if box.process.poll() is None:
            box.process.kill()
            box.process.communicate()
    for path in (tmp_path / "run").glob("*.pid"):
        pid = recall(path)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_the_parts_in_order_the_api_first(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    box = start()
    box.until(*BEGUN)
    pids = [box.pid(name) for name in NAMES]
    said = box.end(number)
    assert box.process.returncode == 0, said
    told = [line for line in diary(tmp_path) if "told" in line]
    assert told == [f"{name} is told to end" for name in ("api", "worker", "sidecar")]
    assert [started_at(pid) for pid in pids] == [None, None, None]
    assert [path.name for path in (tmp_path / "run").glob("*.pid")] == []


def test_a_part_that_dies_is_started_again_and_the_others_are_left_alone(start: Start) -> None:
    box = start()
    box.until(*BEGUN)
    worker = box.pid("worker")
    os.kill(box.pid("api"), signal.SIGKILL)
    box.until(*BEGUN, "api begins")
    assert box.pid("worker") == worker
    assert "api ended with -9; starting it again in 0.5 s" in box.end()


def test_a_program_that_cannot_be_started_keeps_nobody_else_from_running(start: Start) -> None:
    box = start(MISSING="sidecar")
    box.until("worker begins", "api begins")
    said = box.end()
    assert box.process.returncode == 0
    assert "sidecar: No such file or directory" in said


def test_a_part_that_does_not_listen_is_killed_after_its_grace(start: Start) -> None:
    box = start(STUBBORN="worker", GRACE="2")
    box.until(*BEGUN)
    pid, began = box.pid("worker"), time.monotonic()
    box.end()
    assert time.monotonic() - began >= 2
    assert started_at(pid) is None
    assert box.process.returncode == 0


def test_a_second_signal_does_not_wait(start: Start) -> None:
    box = start(STUBBORN="api", GRACE="600")
    box.until(*BEGUN)
    box.process.send_signal(signal.SIGINT)
    box.until(*BEGUN, "api is told to end")
    box.end(signal.SIGINT)  # else it would wait for longer than this does
    assert box.process.returncode == 0


def test_a_part_that_hangs_is_ended_and_started_again(start: Start, tmp_path: Path) -> None:
    box = start()
    box.until(*BEGUN)
    box.until_desk_answers()
    (tmp_path / "silence").touch()
    box.until(*BEGUN, "sidecar begins")
    assert "sidecar lives but has not answered" in box.end()


class TestLeftovers:
    def test_of_a_killed_box_are_stopped_and_the_worker_is_not_asked(
        self, start: Start, tmp_path: Path
    ) -> None:
        first = start()
        first.until(*BEGUN)
        left = {name: first.pid(name) for name in NAMES}
        first.process.kill()
        first.process.communicate()
        assert all(started_at(pid) is not None for pid in left.values())
        second = start()
        second.until(*BEGUN, *BEGUN)
        assert all(started_at(pid) is None for pid in left.values())
        told = [line for line in diary(tmp_path) if "told" in line]
        assert sorted(told) == ["api is told to end", "sidecar is told to end"]
        assert "stopping the worker that an earlier box left behind" in second.end()

    def test_a_box_in_use_is_refused_and_its_parts_live_on(self, start: Start) -> None:
        first = start()
        first.until(*BEGUN)
        pids = {name: first.pid(name) for name in NAMES}
        second = start()
        second.process.communicate(timeout=PATIENCE_SECONDS)
        assert second.process.returncode != 0
        assert {name: first.pid(name) for name in NAMES} == pids
        assert all(started_at(pid) is not None for pid in pids.values())
        first.end()


def test_the_end_of_who_reads_is_not_the_end_of_the_box(start: Start) -> None:
    box = start()
    box.until(*BEGUN)
    assert box.process.stdout is not None
    box.process.stdout.close()
    os.kill(box.pid("api"), signal.SIGKILL)
    box.until(*BEGUN, "api begins")
    box.process.send_signal(signal.SIGTERM)
    assert box.process.wait(timeout=PATIENCE_SECONDS) == 0
