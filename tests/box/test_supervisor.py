import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from box.preconditions import free_port
from box.processes import read_pid_file, start_ticks
from tests.fakes.box_parts import NAMES, TIMEOUT_SECONDS, FakeBox, read_record

STARTED = tuple(f"{name} started" for name in NAMES)

StartBox = Callable[..., FakeBox]


@pytest.fixture
def start_box(tmp_path: Path) -> Iterator[StartBox]:
    """Starts boxes in one home; kills what a failed test leaves running."""
    boxes: list[FakeBox] = []

    def _start_box(**environment: str) -> FakeBox:
        boxes.append(FakeBox(tmp_path, free_port("127.0.0.1"), **environment))
        return boxes[-1]

    yield _start_box
    for box in boxes:
        if box.process.poll() is None:
            box.process.kill()
            box.process.communicate()
    for path in (tmp_path / "run").glob("*.pid"):
        pid = read_pid_file(path)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)


def _parts_that_received_sigterm(home: Path) -> list[str]:
    lines = read_record(home)
    return [line.split()[0] for line in lines if line.endswith("received SIGTERM")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_stops_the_parts_in_order_beginning_with_the_api(
    start_box: StartBox, tmp_path: Path, number: signal.Signals
) -> None:
    box = start_box()
    box.wait_for(*STARTED)
    pids = [box.pid(name) for name in NAMES]
    output = box.end(number)
    assert box.process.returncode == 0, output
    assert _parts_that_received_sigterm(tmp_path) == ["api", "worker", "sidecar"]
    assert [start_ticks(pid) for pid in pids] == [None, None, None]
    assert [path.name for path in (tmp_path / "run").glob("*.pid")] == []


def test_part_that_dies_is_restarted_without_touching_the_others(start_box: StartBox) -> None:
    box = start_box()
    box.wait_for(*STARTED)
    worker = box.pid("worker")
    os.kill(box.pid("api"), signal.SIGKILL)
    box.wait_for(*STARTED, "api started")
    assert box.pid("worker") == worker
    assert "api ended with -9; restarting it in 0.5 s" in box.end()


def test_missing_program_does_not_prevent_the_other_parts(start_box: StartBox) -> None:
    box = start_box(MISSING="sidecar")
    box.wait_for("worker started", "api started")
    output = box.end()
    assert box.process.returncode == 0
    assert "sidecar cannot be started: No such file or directory" in output


def test_part_that_ignores_sigterm_is_killed_after_its_grace(start_box: StartBox) -> None:
    box = start_box(IGNORES_SIGNALS="worker", GRACE="2")
    box.wait_for(*STARTED)
    pid, began = box.pid("worker"), time.monotonic()
    box.end()
    assert time.monotonic() - began >= 2
    assert start_ticks(pid) is None
    assert box.process.returncode == 0


def test_second_signal_skips_the_grace(start_box: StartBox) -> None:
    box = start_box(IGNORES_SIGNALS="api", GRACE="600")
    box.wait_for(*STARTED)
    box.process.send_signal(signal.SIGINT)
    box.wait_for(*STARTED, "api received SIGTERM")
    box.end(signal.SIGINT)  # its timeout is shorter than the grace
    assert box.process.returncode == 0


def test_part_that_hangs_is_killed_and_restarted(start_box: StartBox, tmp_path: Path) -> None:
    box = start_box()
    box.wait_for(*STARTED)
    box.wait_until_sidecar_answers()
    (tmp_path / "silence").touch()
    box.wait_for(*STARTED, "sidecar started")
    assert "sidecar has not answered for a minute; killing it" in box.end()


class TestOrphans:
    def test_orphans_are_stopped_and_the_worker_is_killed_without_a_drain(
        self, start_box: StartBox, tmp_path: Path
    ) -> None:
        first = start_box()
        first.wait_for(*STARTED)
        orphans = [first.pid(name) for name in NAMES]
        first.process.kill()
        first.process.communicate()
        assert all(start_ticks(pid) is not None for pid in orphans)
        second = start_box()
        second.wait_for(*STARTED, *STARTED)
        assert all(start_ticks(pid) is None for pid in orphans)
        assert sorted(_parts_that_received_sigterm(tmp_path)) == ["api", "sidecar"]
        assert "stopping the worker that an earlier box left running" in second.end()

    def test_second_box_in_a_home_is_refused_and_the_first_continues(
        self, start_box: StartBox
    ) -> None:
        first = start_box()
        first.wait_for(*STARTED)
        pids = {name: first.pid(name) for name in NAMES}
        second = start_box()
        second.process.communicate(timeout=TIMEOUT_SECONDS)
        assert second.process.returncode != 0
        assert {name: first.pid(name) for name in NAMES} == pids
        assert all(start_ticks(pid) is not None for pid in pids.values())
        first.end()


def test_box_continues_when_the_reader_of_its_output_is_gone(start_box: StartBox) -> None:
    box = start_box()
    box.wait_for(*STARTED)
    assert box.process.stdout is not None
    box.process.stdout.close()
    os.kill(box.pid("api"), signal.SIGKILL)
    box.wait_for(*STARTED, "api started")
    box.process.send_signal(signal.SIGTERM)
    assert box.process.wait(timeout=TIMEOUT_SECONDS) == 0
