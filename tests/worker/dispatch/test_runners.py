"""What happens to a job when its runner exits, by exit code."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.database import Database
from shared.jobs import attempts, control, retry_policy, time_sharing
from shared.jobs.attempts import Lease
from shared.jobs.planning.box import Rank
from shared.jobs.planning.yielding import Yield
from shared.jobs.submission import Submission, submit
from shared.settings import Settings
from tests.fakes.kernel import FakeKernel
from tests.shared.specs import filled_in
from tests.worker.jobs import claimed_again, job
from worker.assignment import ExitCode
from worker.dispatch import runners
from worker.dispatch.device import Device
from worker.dispatch.runners import Runner, record_exit
from worker.locks import job_lock

CPU = Device("cpu:0", "CPU")


def _runner(lease: Lease) -> Runner:
    return Runner(lease, CPU, pid=0, process=None, kills_before=runners.count_oom_kills())


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (ExitCode.DONE, "worker_lost"),
        (ExitCode.BUSY, "worker_lost"),
        (ExitCode.FENCED, "worker_lost"),
        (ExitCode.DRAINED, "drained"),
        (ExitCode.PAUSED, "resumed"),
        (ExitCode.YIELDED, "yielded"),
        (-signal.SIGKILL, "worker_lost"),
        (-signal.SIGTERM, "worker_lost"),
        (-signal.SIGSEGV, "crashed"),
        (1, "crashed"),
        (ExitCode.DEVICE_FAULT, "device_fault"),
        (-35, "crashed"),
        (ExitCode.STALLED, "stalled"),
    ],
)
def test_an_unfinished_job_is_queued_again(
    database: Database, lease: Lease, code: int, reason: str
) -> None:
    assert record_exit(_runner(lease), code, database) == "queued"

    row = job(database, lease)
    assert (row.state, row.reason) == ("queued", reason)
    assert row.deaths == (1 if reason == "crashed" else 0)


def test_an_adopted_runner_that_was_to_give_way_counts_as_such(
    database: Database, lease: Lease
) -> None:
    """Its exit code is not known."""
    with database.write() as connection:
        to, _ = submit(connection, Submission(owner="ben", spec=filled_in()))
        found = Yield(lease.job_id, lease.attempt, to, Rank.NORMAL)
        assert time_sharing.request_yield(connection, found)
    assert record_exit(_runner(lease), -signal.SIGKILL, database) == "queued"
    assert job(database, lease).reason == "yielded"


@pytest.mark.parametrize(
    "code",
    [ExitCode.CANCELLED, -signal.SIGKILL, -signal.SIGSEGV, ExitCode.DEVICE_FAULT, ExitCode.STALLED],
)
def test_a_job_with_a_cancel_request_is_cancelled_whatever_the_exit_code(
    database: Database, lease: Lease, code: int
) -> None:
    with database.write() as connection:
        control.request_cancel(connection, lease.job_id)

    assert record_exit(_runner(lease), code, database) == "cancelled"


@pytest.mark.parametrize(
    "code",
    [
        ExitCode.PAUSED,
        ExitCode.DRAINED,
        -signal.SIGKILL,
        -signal.SIGSEGV,
        ExitCode.DEVICE_FAULT,
        ExitCode.STALLED,
    ],
)
def test_a_job_with_a_request_to_pause_is_paused_whatever_the_exit_code(
    database: Database, lease: Lease, code: int
) -> None:
    with database.write() as connection:
        control.request_pause(connection, lease.job_id)

    assert record_exit(_runner(lease), code, database) == "paused"


def test_a_job_that_has_ended_keeps_its_state(database: Database, lease: Lease) -> None:
    with database.write() as connection:
        attempts.succeed(connection, lease, {})

    assert record_exit(_runner(lease), ExitCode.DONE, database) == "succeeded"
    assert record_exit(_runner(lease), 1, database) == "succeeded"


def test_a_job_that_crashes_again_and_again_fails_with_the_signal_in_its_message(
    database: Database, lease: Lease
) -> None:
    for _ in range(retry_policy.MAX_ATTEMPTS["crashed"] - 1):
        assert record_exit(_runner(lease), -signal.SIGSEGV, database) == "queued"
        lease = claimed_again(database)

    assert record_exit(_runner(lease), -signal.SIGSEGV, database) == "failed"

    failure = job(database, lease).failure
    assert failure["kind"] == "crashed"
    assert "SIGSEGV" in failure["message"]
    assert str(retry_policy.MAX_ATTEMPTS["crashed"]) in failure["message"]
    assert "/" not in failure["message"] + failure["hint"], "a path of the server"


def test_a_job_whose_gpu_fails_again_and_again_fails_with_the_gpu_in_its_message(
    database: Database, lease: Lease
) -> None:
    for _ in range(retry_policy.MAX_ATTEMPTS["device_fault"] - 1):
        assert record_exit(_runner(lease), ExitCode.DEVICE_FAULT, database) == "queued"
        lease = claimed_again(database)

    assert record_exit(_runner(lease), ExitCode.DEVICE_FAULT, database) == "failed"

    row = job(database, lease)
    assert row.failure["kind"] == "crashed"
    assert "GPU" in row.failure["message"]
    assert "check the GPU" in row.failure["hint"]


def test_a_job_that_stalls_twice_fails(database: Database, lease: Lease) -> None:
    assert record_exit(_runner(lease), ExitCode.STALLED, database) == "queued"
    lease = claimed_again(database)
    assert record_exit(_runner(lease), ExitCode.STALLED, database) == "failed"

    failure = job(database, lease).failure
    assert failure["kind"] == "stalled"
    assert "step did not finish" in failure["message"]
    assert "last checkpoint" in failure["hint"]


class TestOutOfMemory:
    """The kernel counts kills of the whole machine and does not name the processes."""

    @pytest.fixture
    def kernel(self, monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
        """Return a kernel that has killed other processes before."""
        kernel = FakeKernel(kills=7)
        monkeypatch.setattr(runners, "count_oom_kills", lambda: kernel.kills)
        return kernel

    @pytest.fixture
    def runner(self, lease: Lease, kernel: FakeKernel) -> Iterator[Runner]:
        """Return a runner with a child process that is alive."""
        with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
            yield Runner(lease, CPU, process.pid, process, kills_before=kernel.kills)
            process.kill()

    def test_a_kill_fails_the_job(
        self, database: Database, runner: Runner, kernel: FakeKernel
    ) -> None:
        kernel.kills += 1
        assert _killed(runner, database) == "failed"
        failure = job(database, runner.lease).failure
        assert failure["kind"] == "out_of_memory"
        assert "batch_size" in failure["hint"]

    def test_a_kill_counts_if_the_process_takes_a_moment_to_exit(
        self,
        database: Database,
        runner: Runner,
        kernel: FakeKernel,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(runners, "OOM_WINDOW_SECONDS", 0)
        kernel.kills += 1
        assert runner.exit_code(Settings()) is None
        assert _killed(runner, database) == "failed"

    def test_an_earlier_kill_of_another_process_does_not_count(
        self,
        database: Database,
        runner: Runner,
        kernel: FakeKernel,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(runners, "OOM_WINDOW_SECONDS", 0)
        kernel.kills += 1
        for _ in range(2):
            assert runner.exit_code(Settings()) is None
        assert _killed(runner, database) == "queued"
        assert job(database, runner.lease).reason == "worker_lost"

    def test_a_runner_killed_by_its_worker_did_not_run_out_of_memory(
        self, database: Database, runner: Runner, kernel: FakeKernel
    ) -> None:
        kernel.kills += 1
        runner.request_stop()
        runner.request_stop(timeout_seconds=0)
        assert _killed(runner, database) == "queued"

    def test_an_adopted_runner_did_not_run_out_of_memory(
        self, database: Database, lease: Lease, kernel: FakeKernel
    ) -> None:
        adopted = Runner(lease, CPU, pid=0, process=None, kills_before=kernel.kills)
        kernel.kills += 1
        assert record_exit(adopted, -signal.SIGKILL, database) == "queued"

    def test_a_cancel_request_takes_precedence(
        self, database: Database, runner: Runner, kernel: FakeKernel
    ) -> None:
        kernel.kills += 1
        with database.write() as connection:
            control.request_cancel(connection, runner.lease.job_id)
        assert _killed(runner, database) == "cancelled"


def _killed(runner: Runner, database: Database) -> str | None:
    """Kill the child; return the state of its job."""
    assert runner.process is not None
    runner.process.kill()
    runner.process.wait()
    assert runner.exit_code(Settings()) == -signal.SIGKILL
    return record_exit(runner, -signal.SIGKILL, database)


def test_an_adopted_runner_has_exited_once_its_lock_is_released(
    tmp_path: Path, lease: Lease
) -> None:
    settings = Settings(home=tmp_path)
    settings.make_directories()
    lock = job_lock(settings, lease.job_id)
    assert lock.acquire()

    assert _runner(lease).exit_code(settings) is None
    lock.release()
    assert _runner(lease).exit_code(settings) == -signal.SIGKILL
