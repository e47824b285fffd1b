"""A training as its worker sees it: our own child, or one that outlived the worker before."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from shared.database import Database
from shared.errors import Failure, Fenced
from shared.jobs import attempts, queries, retry_policy
from shared.jobs.attempts import Lease
from shared.settings import Settings
from worker.assignment import BUSY, CANCELLED, DEVICE_FAULT, DONE, DRAINED, FENCED, STALLED
from worker.dispatch.devices import Device
from worker.locks import is_held, job_lock

#: How long a runner may take to end by itself after a wish.
GRACE_SECONDS = 10.0
#: A kill by the kernel so long before a runner's end may be its own: with much memory it takes a
#: while to be gone. One twice as long before it was another process's.
RECENT_SECONDS = 5.0

#: Why a job waits again whose runner ended with this code, none of which is the job's fault. DONE
#: and FENCED: it wrote the end itself; if it did not, waiting is right.
REASONS = {
    DONE: "worker_lost",
    BUSY: "worker_lost",
    FENCED: "worker_lost",
    -signal.SIGKILL: "worker_lost",
    -signal.SIGTERM: "worker_lost",
    DRAINED: "drained",
    CANCELLED: "cancelled_by_user",
}

#: How the attempt ended whose runner ended with this code, and what its job gets in the end.
DEATHS = {
    STALLED: (
        "stalled",
        Failure(
            kind="stalled",
            message="The training took no step for very long, "
            f"{retry_policy.MOST['stalled']} times without a new checkpoint.",
            hint="The job's log shows where its threads stood; tell whoever runs the box. A retry "
            "goes on from the last checkpoint.",
        ),
    ),
    DEVICE_FAULT: (
        "device_fault",
        Failure(
            kind="crashed",
            message="The GPU or its driver failed, "
            f"{retry_policy.MOST['device_fault']} times without a new checkpoint.",
            hint="Tell whoever runs the box to look at the GPU, then retry the job.",
        ),
    ),
}


@dataclass
class Runner:
    """A process that trains, and the device it sits on."""

    lease: Lease
    device: Device
    pid: int
    #: None for an adopted runner, which is not our child.
    process: subprocess.Popen[bytes] | None
    #: What `oom_kills` said some moments ago.
    kills_before: int = 0
    asked_to_end: float | None = field(default=None)
    _kills_lately: int = field(init=False, repr=False)
    _lately_at: float = field(init=False, repr=False, default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._kills_lately = self.kills_before

    def exit_code(self, settings: Settings) -> int | None:
        """None while it runs; an adopted one that is gone counts as killed from outside."""
        if self.process is None:
            return None if is_held(job_lock(settings, self.lease.job_id)) else -signal.SIGKILL
        code = self.process.poll()
        if code is None:
            self._forget_old_kills()
        return code

    def was_killed_for_memory(self, code: int) -> bool:
        """Whether the kernel did it: not if we asked it to end, or if the code is only supposed."""
        if code != -signal.SIGKILL or self.process is None or self.asked_to_end is not None:
            return False
        return oom_kills() > self.kills_before

    def _forget_old_kills(self) -> None:
        """The kernel counts for the whole machine: only a kill of the last moments may be ours."""
        at = time.monotonic()
        if at - self._lately_at >= RECENT_SECONDS:
            self.kills_before, self._kills_lately = self._kills_lately, oom_kills()
            self._lately_at = at

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
    try:
        with database.write() as connection:
            return _settle(connection, runner, code)
    except Fenced:
        with database.read() as connection:
            job = queries.get(connection, runner.lease.job_id)
        return None if job is None else job["state"]


def _settle(connection: sa.Connection, runner: Runner, code: int) -> str:
    lease = runner.lease
    if runner.was_killed_for_memory(code):
        return retry_policy.give_up(connection, lease, _out_of_memory(), exit_code=code)
    if code in REASONS:
        return attempts.stop(connection, lease, REASONS[code], exit_code=code)
    outcome, failure = DEATHS.get(code) or ("crashed", _crash(code))
    return retry_policy.died(connection, lease, outcome, failure, exit_code=code)


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
    how = f"by signal {_signal_name(-code)}" if code < 0 else f"with exit code {code}"
    return Failure(
        kind="crashed",
        message=f"The training's process ended {how}, "
        f"{retry_policy.MOST['crashed']} times without a new checkpoint.",
        hint="The job's log has its last words; tell whoever runs the box.",
    )


def _signal_name(number: int) -> str:
    """By its number where it has no name, as real-time signals."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
