"""A training as its worker sees it: our own child, or one that outlived the worker before."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from shared.database import Database
from shared.errors import Failure, Fenced
from shared.jobs import attempts, reading
from shared.jobs.attempts import Lease
from shared.settings import Settings
from worker.assignment import BUSY, CANCELLED, DONE, DRAINED, FENCED
from worker.devices import Device
from worker.locks import is_held, job_lock

#: How long a runner may take to end by itself after a wish.
GRACE_SECONDS = 10.0


@dataclass
class Runner:
    """A process that trains, and the device it sits on."""

    lease: Lease
    device: Device
    pid: int
    #: None for an adopted runner, which is not our child.
    process: subprocess.Popen[bytes] | None
    kills_before: int = 0
    asked_to_end: float | None = field(default=None)

    def exit_code(self, settings: Settings) -> int | None:
        """None while it runs; an adopted one that is gone counts as killed from outside."""
        if self.process is not None:
            return self.process.poll()
        return None if is_held(job_lock(settings, self.lease.job_id)) else -signal.SIGKILL

    def ask_to_end(self, *, patience: float = GRACE_SECONDS, term: bool = False) -> None:
        """Be patient first; a runner that does not end by itself is killed."""
        if self.asked_to_end is None:
            self.asked_to_end = time.monotonic()
            if term:
                self._signal(signal.SIGTERM)
        elif time.monotonic() - self.asked_to_end > patience:
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return


def settle(runner: Runner, code: int, database: Database) -> str | None:
    """Write what became of a runner that is gone; return the state that its job is in now."""
    if code in {DONE, BUSY, FENCED}:
        # It wrote the end itself; if it did not, stopping is right and otherwise changes nothing.
        reason = "worker_lost"
    elif code == DRAINED:
        reason = "drained"
    elif code == CANCELLED:
        reason = "cancelled_by_user"
    else:
        reason = "worker_lost" if code in {-signal.SIGKILL, -signal.SIGTERM} else "crashed"
    try:
        with database.write() as connection:
            if code == -signal.SIGKILL and oom_kills() > runner.kills_before:
                attempts.fail(connection, runner.lease, _out_of_memory(), exit_code=code)
                return "failed"
            if reason == "crashed":
                return attempts.died(connection, runner.lease, _crash(code), exit_code=code)
            return attempts.stop(connection, runner.lease, reason, exit_code=code)
    except Fenced:
        with database.read() as connection:
            job = reading.get(connection, runner.lease.job_id)
        return None if job is None else job["state"]


def oom_kills() -> int:
    """How many processes the kernel has killed for memory since the machine started."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _out_of_memory() -> Failure:
    return Failure(
        kind="out_of_memory",
        message="The machine's memory ran out and the kernel ended the training.",
        hint="Take a smaller batch_size, smaller images or a smaller network.",
    )


def _crash(code: int) -> Failure:
    how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    return Failure(
        kind="crashed",
        message=f"The training's process ended {how}, "
        f"{attempts.MOST_DEATHS} times without a new checkpoint.",
        hint="The job's log has its last words; tell whoever runs the box.",
    )
