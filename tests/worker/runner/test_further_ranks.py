"""The processes of the ranks after the first; small programs are these processes."""

import signal
import sys
from pathlib import Path

import pytest

from shared.errors import Failure
from shared.settings import Settings
from worker.assignment import Assignment, ExitCode, FurtherDevice
from worker.locks import Lock, is_held
from worker.runner import further_ranks
from worker.runner.further_rank import RankAssignment
from worker.runner.further_ranks import FurtherRanks, die

ASSIGNMENT = Assignment(
    "job_1", 1, {}, None, "cuda:0", "GPU-0", 2, further=(FurtherDevice("cuda:3", "GPU-3", 1),)
)
FAILURE = Failure(kind="out_of_memory", message="Out of memory.", hint="Try less.")


class Started:
    """Ranks whose program is given, and what the runner was to end with."""

    def __init__(self, home: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(further_ranks, "COMMAND", [sys.executable, "-c", program])
        self.lock = Lock(home / "job.lock")
        assert self.lock.acquire()
        self.ends: list[tuple[int, Failure | None]] = []
        self.ranks = FurtherRanks(ASSIGNMENT, Settings(home=home), [self.lock], self._end_with)

    def _end_with(self, code: int, failure: Failure | None) -> int:
        self.ends.append((code, failure))
        return 0


def test_the_failure_of_a_rank_is_the_failure_of_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = f"import json, sys; print(json.dumps({FAILURE.as_json()!r})); sys.exit(18)"
    started = Started(tmp_path, report, monkeypatch)
    assert started.ranks.end_as_lost() == 0
    assert started.ends == [(ExitCode.RANK_FAILED, FAILURE)]


def test_the_signal_that_ends_a_rank_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    started = Started(tmp_path, program, monkeypatch)
    started.ranks.end_as_lost()
    assert started.ends == [(-signal.SIGKILL, None)]


def test_a_rank_that_lost_another_is_not_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(further_ranks, "CAUSE_SECONDS", 0.3)
    started = Started(tmp_path, f"raise SystemExit({int(ExitCode.RANK_LOST)})", monkeypatch)
    started.ranks.end_as_lost()
    assert started.ends == [(further_ranks.UNKNOWN_CAUSE, None)]


def test_the_locks_are_held_until_the_last_rank_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = Started(tmp_path, "import time; time.sleep(60)", monkeypatch)
    started.lock.release()  # as at the death of the runner
    assert is_held(Lock(started.lock.path))
    started.ranks.end()
    assert not is_held(Lock(started.lock.path))


def test_only_signals_and_faults_of_devices_are_passed_on() -> None:
    assert die(ExitCode.DEVICE_FAULT) == ExitCode.DEVICE_FAULT
    assert die(ExitCode.RANK_FAILED) == further_ranks.UNKNOWN_CAUSE


def test_assignments_survive_the_way_through_a_pipe() -> None:
    assert Assignment.parse(ASSIGNMENT.line()) == ASSIGNMENT
    rank = RankAssignment(ASSIGNMENT, 1, 2, "/somewhere", 12)
    assert RankAssignment.parse(rank.line()) == rank
