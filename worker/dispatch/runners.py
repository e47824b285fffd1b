"""The runner of a job, watched by its worker: a child process or an adopted process."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from shared.database import Database
from shared.errors import Failure, Fenced
from shared.jobs import attempts, queries, retry_policy, time_sharing
from shared.jobs.analyses import is_analysis
from shared.jobs.attempts import Lease
from shared.jobs.planning.memory import reserve_mib
from shared.settings import Settings
from worker.assignment import ExitCode
from worker.dispatch.device import Device
from worker.locks import is_held, job_lock

#: From a request to stop until the runner is killed.
STOP_TIMEOUT_SECONDS = 10.0
#: A process that the kernel kills for memory takes a while to exit. A kill this long before a
#: runner's exit may be the runner's own; a kill twice as long before was another process's.
OOM_WINDOW_SECONDS = 5.0

#: Why the job is queued again, by an exit code that is not the job's fault. After DONE and FENCED
#: the job has ended already; if it has not, queueing it again is right.
REQUEUE_REASONS: dict[int, str] = {
    ExitCode.DONE: "worker_lost",
    ExitCode.BUSY: "worker_lost",
    ExitCode.FENCED: "worker_lost",
    -signal.SIGKILL: "worker_lost",
    -signal.SIGTERM: "worker_lost",
    ExitCode.DRAINED: "drained",
    ExitCode.PAUSED: "paused",
    ExitCode.YIELDED: "yielded",
    ExitCode.CANCELLED: "cancelled_by_user",
}


@dataclass
class Runner:
    """The process of an attempt, and the device that it uses."""

    lease: Lease
    device: Device
    pid: int
    #: None for an adopted runner, which is no child of this process.
    process: subprocess.Popen[bytes] | None
    #: The devices of a job of several devices, apart from its first.
    further_devices: tuple[Device, ...] = ()
    #: The result of `count_oom_kills` a few seconds ago.
    kills_before: int = 0
    stop_requested_at: float | None = field(default=None)
    #: Whether it is to stop because it is too slow next to the other jobs on its device.
    is_separated: bool = field(init=False, default=False)
    #: Whether it was killed since its device is gone.
    has_lost_device: bool = field(init=False, default=False)
    _is_terminated: bool = field(init=False, repr=False, default=False)
    _recent_kills: int = field(init=False, repr=False)
    _counted_at: float = field(init=False, repr=False, default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._recent_kills = self.kills_before

    @property
    def devices(self) -> tuple[Device, ...]:
        """All devices that it uses."""
        return (self.device, *self.further_devices)

    def exit_code(self, settings: Settings) -> int | None:
        """Return the exit code; None while the process runs.

        The exit code of an adopted runner is unknown: it is taken as killed from outside.
        """
        if self.process is None:
            return None if is_held(job_lock(settings, self.lease.job_id)) else -signal.SIGKILL
        code = self.process.poll()
        if code is None:
            self._forget_old_kills()
        return code

    def was_killed_for_memory(self, code: int) -> bool:
        """Return whether the kernel killed the process because memory ran out.

        It did not if the worker requested the stop, or if the exit code is only assumed.
        """
        if code != -signal.SIGKILL or self.process is None or self.stop_requested_at is not None:
            return False
        return count_oom_kills() > self.kills_before

    def _forget_old_kills(self) -> None:
        """Ignore kills of a while ago: the kernel counts the kills of the whole machine."""
        now = time.monotonic()
        if now - self._counted_at >= OOM_WINDOW_SECONDS:
            self.kills_before, self._recent_kills = self._recent_kills, count_oom_kills()
            self._counted_at = now

    def request_stop(
        self, *, timeout_seconds: float = STOP_TIMEOUT_SECONDS, terminate: bool = False
    ) -> None:
        """Give the runner time to stop by itself, and kill it in a later call once that is over.

        Args:
            timeout_seconds: from the first call until the process is killed.
            terminate: send SIGTERM, once. Without it the runner learns with its heartbeat that it
                is to stop.
        """
        if terminate and not self._is_terminated:
            self._is_terminated = True
            self._signal(signal.SIGTERM)
        if self.stop_requested_at is None:
            self.stop_requested_at = time.monotonic()
        elif time.monotonic() - self.stop_requested_at > timeout_seconds:
            self._signal(signal.SIGKILL)

    def withdraw_stop(self) -> None:
        """Let the runner train on: the request that it learned with its heartbeat is withdrawn."""
        self.stop_requested_at = None

    def abandon_device(self) -> None:
        """Kill the runner: its device is gone, which is not the fault of the job."""
        self.has_lost_device = True
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return


def record_exit(runner: Runner, code: int, database: Database) -> str | None:
    """Record in the database that a runner exited; return the state of its job now.

    A runner that ended its job itself, or that lost it to another attempt, changes nothing.
    """
    try:
        with database.write() as connection:
            return _end_attempt(connection, runner, code)
    except Fenced:
        with database.read() as connection:
            job = queries.get_job_in_part(connection, runner.lease.job_id)
        return None if job is None else job.state


def _end_attempt(connection: sa.Connection, runner: Runner, code: int) -> str:
    lease = runner.lease
    if runner.was_killed_for_memory(code):
        return retry_policy.give_up(connection, lease, _out_of_memory(lease), exit_code=code)
    if code in REQUEUE_REASONS:
        reason = REQUEUE_REASONS[code]
        if code == ExitCode.DRAINED and runner.is_separated:
            reason = "separated"
        # The exit code of an adopted runner is only assumed.
        is_assumed = runner.process is None and code == -signal.SIGKILL
        if is_assumed and time_sharing.is_yielding(connection, lease):
            reason = "yielded"
        state = attempts.stop(connection, lease, reason, exit_code=code)
        if reason == "yielded":
            time_sharing.record_switch(connection, lease)
        return state
    if code == ExitCode.MEMORY_LIMIT:
        total = runner.device.memory_mib
        return retry_policy.grow_memory(
            connection, lease, largest_mib=total - reserve_mib(total), exit_code=code
        )
    outcome, failure = _abnormal_exit(lease, code)
    return retry_policy.record_death(connection, lease, outcome, failure, exit_code=code)


def count_oom_kills() -> int:
    """Return how many processes the kernel has killed for memory since the machine started."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _out_of_memory(lease: Lease) -> Failure:
    hint = "Use a smaller batch_size, smaller images or a smaller network."
    if is_analysis(lease.job_id):
        hint = "Use fewer samples, iterations or directions, or analyse a smaller network."
    return Failure(
        kind="out_of_memory",
        message=f"The machine ran out of memory and the kernel killed the {_work(lease)} process.",
        hint=hint,
    )


def _abnormal_exit(lease: Lease, code: int) -> tuple[str, Failure]:
    """Return the attempt's outcome, by an exit code that may be the job's fault, and the failure.

    The failure is that of the job, once it is given up.
    """
    work = _work(lease)
    if code == ExitCode.STALLED:
        resumes = "" if is_analysis(lease.job_id) else " A retry resumes from the last checkpoint."
        return "stalled", Failure(
            kind="stalled",
            message=f"The {work} stalled: a step did not finish, {_times(lease, 'stalled')}.",
            hint=f"The {work}'s log shows what its threads were doing; report it to the "
            f"administrator of the box.{resumes}",
        )
    if code == ExitCode.DEVICE_FAULT:
        again = "request the analysis again" if is_analysis(lease.job_id) else "retry the job"
        return "device_fault", Failure(
            kind="crashed",
            message=f"The GPU or its driver failed, {_times(lease, 'device_fault')}.",
            hint=f"Ask the administrator of the box to check the GPU, then {again}.",
        )
    how = f"was killed by signal {_signal_name(-code)}" if code < 0 else f"exited with code {code}"
    return "crashed", Failure(
        kind="crashed",
        message=f"The {work} process {how}, {_times(lease, 'crashed')}.",
        hint=f"The end of the {work}'s log may show the cause; report it to the administrator of "
        "the box.",
    )


def _times(lease: Lease, outcome: str) -> str:
    progress = "" if is_analysis(lease.job_id) else " without a new checkpoint"
    return f"{retry_policy.MAX_ATTEMPTS[outcome]} times{progress}"


def _work(lease: Lease) -> str:
    return "analysis" if is_analysis(lease.job_id) else "training"


def _signal_name(number: int) -> str:
    """Return the name of a signal, or its number where it has no name (real-time signals)."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
