"""The ranks after the first of a job of several devices, as the runner starts and watches them.

The runner is the first rank. The death of any rank is the death of the job's attempt: the runner
ends in the way in which the other rank has ended, and the dispatcher decides as for one process.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import orjson
import structlog

from shared.errors import Failure
from shared.settings import Settings
from worker.assignment import Assignment, ExitCode, ranks_directory
from worker.locks import Lock
from worker.runner.further_rank import NO_STATE, RankAssignment
from worker.training import checkpoint
from worker.training.experiment import Experiment
from worker.training.fit import fit
from worker.training.ranks import RankLost, join
from worker.training.reports import Report
from worker.training.state import TrainingState

log = structlog.get_logger()

COMMAND = [sys.executable, "-m", "worker.runner.further_rank"]
ROOT = Path(__file__).parents[2]
#: How long the runner looks for the rank whose end is the cause of a lost connection, and after
#: how long it ends itself where it has not noticed that a rank ended.
CAUSE_SECONDS = 10.0
POLL_SECONDS = 0.05
#: The exit code where no cause was found: the attempt counts as crashed.
UNKNOWN_CAUSE = 1


class FurtherRanks:
    """The processes of the ranks after the first; none for a job of one device.

    Args:
        assignment: of the job.
        settings: of the runner.
        locks: of the job and of its devices. The ranks inherit them, so that they are held until
            the last rank is gone.
        end_with: is called with the exit code and the failure of a rank that has ended, and returns
            the exit code of the runner. A thread calls it where the runner waits for that rank.
    """

    def __init__(
        self,
        assignment: Assignment,
        settings: Settings,
        locks: Sequence[Lock] = (),
        end_with: Callable[[int, Failure | None], int] | None = None,
    ) -> None:
        self._assignment = assignment
        self._end_with = end_with or (lambda code, _: die(code))
        self._directory = ranks_directory(settings.home, assignment.job_id)
        #: Set once the ends of the ranks are no failure any more.
        self._is_ending = threading.Event()
        self._processes: list[subprocess.Popen[bytes]] = []
        if not assignment.further:
            return
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True, mode=0o700)
        files = [lock.file for lock in locks if lock.file is not None]
        for rank in range(1, self.count):
            self._processes.append(_start(self._assignment_of(rank), files))
        threading.Thread(target=self._watch, name="further-ranks", daemon=True).start()

    @property
    def count(self) -> int:
        """The ranks of the job, the first included."""
        return 1 + len(self._assignment.further)

    def _assignment_of(self, rank: int) -> RankAssignment:
        device = self._assignment.further[rank - 1]
        own = replace(
            self._assignment, device=device.device, uuid=device.uuid, index=device.index, further=()
        )
        rendezvous = str(self._directory / "rendezvous")
        return RankAssignment(own, rank, self.count, rendezvous, os.getpid())

    @contextmanager
    def training(
        self, experiment: Experiment, state: TrainingState | None
    ) -> Iterator[Iterator[Report]]:
        """Train together within the block, which gets the reports; then the other ranks are gone.

        Args:
            experiment: of the first rank.
            state: where all ranks resume.

        Raises:
            RankLost: a rank has ended. The other ranks continue until `end`.
        """
        saved = self._directory / "state"
        if state is not None and self._processes:
            checkpoint.save(state, saved)
        self._send(bytes(saved) if state is not None else NO_STATE)
        rendezvous, is_lost = self._directory / "rendezvous", False
        try:
            with (
                join(0, self.count, rendezvous, experiment.device) as ranks,
                # Closed at any end, which restores torch's settings
                closing(fit(experiment, state=state, ranks=ranks)) as reports,
            ):
                shutil.rmtree(saved, ignore_errors=True)  # all have read it
                yield reports
        except RankLost:
            is_lost = True
            raise
        finally:
            if not is_lost:
                self.end()

    def _send(self, line: bytes) -> None:
        for process in self._processes:
            if process.stdin is not None:
                with suppress(BrokenPipeError):  # it has ended, which the watch notices
                    process.stdin.write(line + b"\n")
                    process.stdin.flush()

    def end(self) -> None:
        """Kill the ranks that are left, and wait until they are gone."""
        self._is_ending.set()
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):  # of a line that was never read
                        pipe.close()
        if self._processes:
            shutil.rmtree(self._directory, ignore_errors=True)

    def end_as_lost(self) -> int:
        """Find out why a rank has ended, and return the exit code of the runner."""
        code, failure = self._cause()
        log.error("a rank has ended", code=code)
        self.end()
        return self._end_with(code, failure)

    def _cause(self) -> tuple[int, Failure | None]:
        """Return why a rank has ended: its exit code, and its failure if it reported one."""
        deadline = time.monotonic() + CAUSE_SECONDS
        while time.monotonic() < deadline:
            for process in self._processes:
                code = process.poll()
                if code is not None and code not in (ExitCode.DONE, ExitCode.RANK_LOST):
                    return code, _failure(process) if code == ExitCode.RANK_FAILED else None
            time.sleep(POLL_SECONDS)
        return UNKNOWN_CAUSE, None

    def _watch(self) -> None:
        """End the process if it does not notice that a rank has ended, as while it waits for it."""
        while all(process.poll() in (None, ExitCode.DONE) for process in self._processes):
            time.sleep(POLL_SECONDS)
            if self._is_ending.is_set():
                return
        time.sleep(2 * CAUSE_SECONDS)
        if not self._is_ending.is_set():
            os._exit(self.end_as_lost())


def die(code: int) -> int:
    """End this process by the signal that ended a rank; return any other exit code."""
    if code < 0:
        # The runner handles SIGTERM, and both signals queue the job again
        os.kill(os.getpid(), signal.SIGKILL if code == -signal.SIGTERM else -code)
        time.sleep(CAUSE_SECONDS)  # the signal may reach another thread first
    return code if code == ExitCode.DEVICE_FAULT else UNKNOWN_CAUSE


def _start(given: RankAssignment, files: Sequence[int]) -> subprocess.Popen[bytes]:
    # In the group of the runner: the dispatcher's signals reach all ranks.
    process = subprocess.Popen(
        COMMAND, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=files
    )
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.write(given.line())
            process.stdin.flush()
    return process


def _failure(process: subprocess.Popen[bytes]) -> Failure | None:
    if process.stdout is None:
        return None
    try:
        return Failure(**orjson.loads(process.stdout.read()))
    except (ValueError, TypeError):
        return None
