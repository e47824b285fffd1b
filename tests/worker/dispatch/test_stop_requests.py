"""Requests to a runner to stop: signals, timeouts, and requests that are withdrawn."""

import signal
import subprocess
import sys
import time

import pytest

from shared.jobs.attempts import Lease
from tests.fakes.clock import Clock
from worker.dispatch import runners
from worker.dispatch.device import Device
from worker.dispatch.runners import Runner

CPU = Device("cpu:0", "CPU")


def test_a_runner_that_ignores_a_stop_request_is_killed_after_the_timeout(
    lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(runners, "time", clock)
    program = (
        "import signal,time; signal.signal(15, signal.SIG_IGN); print(1, flush=1); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        runner = Runner(lease, CPU, process.pid, process)

        runner.request_stop(timeout_seconds=10, terminate=True)
        clock.now += 9
        runner.request_stop(timeout_seconds=10, terminate=True)
        time.sleep(0.1)  # a kill takes a moment to show
        assert process.poll() is None, "killed before the timeout"
        clock.now += 2
        runner.request_stop(timeout_seconds=10, terminate=True)

        assert process.wait(60) == -signal.SIGKILL
        runner.request_stop(timeout_seconds=0, terminate=True)  # the process is gone: no error


def test_a_runner_whose_pause_was_withdrawn_has_the_whole_time_at_the_next_request(
    lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, signals = Clock(), list[int]()
    monkeypatch.setattr(runners, "time", clock)
    monkeypatch.setattr(Runner, "_signal", lambda _, number: signals.append(number))
    runner = Runner(lease, CPU, pid=0, process=None)
    runner.request_stop(timeout_seconds=10)
    clock.now += 11
    runner.withdraw_stop()
    runner.request_stop(timeout_seconds=10)
    assert signals == []


def test_a_runner_that_pauses_gets_one_signal_when_its_worker_stops(
    lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals = list[int]()
    monkeypatch.setattr(Runner, "_signal", lambda _, number: signals.append(number))
    runner = Runner(lease, CPU, pid=0, process=None)
    runner.request_stop()
    for _ in range(2):
        runner.request_stop(terminate=True)
    assert signals == [signal.SIGTERM]
