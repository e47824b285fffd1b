import errno
import io
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from shared.database import Database
from shared.jobs.attempts import Lease
from shared.settings import Settings
from shared.storage import Storage
from tests.databases import make_tables
from tests.shared.specs import filled_in
from tests.worker.jobs import claimed, job
from worker.assignment import Assignment, ExitCode
from worker.registry import SpecError
from worker.runner import process
from worker.runner.process import train

ROOT = Path(__file__).parents[3]
RUNNER = """
import runpy
print("printed by a library")
runpy.run_module("worker.runner", run_name="__main__")
"""
MEMORY_MIB = 2**24
UNLIMITED = resource.getrlimit(resource.RLIMIT_AS)[0]
LOST = torch.AcceleratorError("CUDA error: uncorrectable ECC error encountered")
SPEC = filled_in(training={"batch_size": 8})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path, runner_memory_mib=MEMORY_MIB)
    settings.make_directories()
    return settings


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database, pool_size=2)
    make_tables(database)
    yield database
    database.close()


@pytest.fixture
def lease(database: Database) -> Lease:
    return claimed(database)


def _assignment(lease: Lease, **device: Any) -> Assignment:
    cpu = {"device": "cpu:0", "uuid": "", "index": 0}
    return Assignment(lease.job_id, lease.attempt, SPEC, None, **{"threads": 1, **cpu, **device})


def _gpu_assignment(lease: Lease) -> Assignment:
    return _assignment(lease, device="cuda:5", uuid="GPU-5", index=2)


class FakeAttempt:
    """Records the limits under which it runs, and may fail."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.error: Exception | None = None
        self.is_stored = False
        self.writer = SimpleNamespace(join=self._join)
        self.heartbeat = SimpleNamespace(stop=lambda: None)

    def __call__(self, *_: object) -> "FakeAttempt":
        return self

    def _join(self) -> None:
        self.is_stored = True

    def run(self) -> int:
        self.calls.append(("run with limit", resource.getrlimit(resource.RLIMIT_AS)[0]))
        if self.error is not None:
            raise self.error
        return ExitCode.DONE


@pytest.fixture
def attempt(monkeypatch: pytest.MonkeyPatch) -> FakeAttempt:
    attempt = FakeAttempt()
    monkeypatch.setattr(process, "Attempt", attempt)
    monkeypatch.setattr(process, "_redirect_output", lambda _: None)
    monkeypatch.setattr(
        torch.cuda, "set_device", lambda index: attempt.calls.append(("use GPU", index))
    )
    return attempt


def test_on_a_gpu_the_assigned_gpu_is_used_and_addresses_are_unlimited(
    attempt: FakeAttempt, lease: Lease, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1,GPU-3,GPU-5")
    assert train(_gpu_assignment(lease), settings) == ExitCode.DONE
    assert attempt.calls == [("use GPU", 2), ("run with limit", UNLIMITED)]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-1,GPU-3,GPU-5", "too late to change"


def test_on_the_cpu_no_gpu_is_used_and_addresses_are_limited(
    attempt: FakeAttempt, lease: Lease, settings: Settings
) -> None:
    assert train(_assignment(lease), settings) == ExitCode.DONE
    assert attempt.calls == [("run with limit", MEMORY_MIB * 2**20)]


def test_a_fault_of_the_gpu_records_no_failure(
    attempt: FakeAttempt, lease: Lease, settings: Settings, database: Database
) -> None:
    attempt.error = LOST
    assert train(_gpu_assignment(lease), settings) == ExitCode.DEVICE_FAULT
    assert attempt.is_stored, "the last checkpoint is not stored"
    assert job(database, lease).state == "running"


def test_a_gpu_that_cannot_be_used_records_no_failure(
    attempt: FakeAttempt,
    lease: Lease,
    settings: Settings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: int) -> None:
        raise RuntimeError("No CUDA GPUs are available")

    monkeypatch.setattr(torch.cuda, "set_device", fail)
    assert train(_gpu_assignment(lease), settings) == ExitCode.DEVICE_FAULT
    assert attempt.calls == []
    assert job(database, lease).state == "running"


@pytest.mark.parametrize(
    ("assign", "error", "kind"),
    [
        (_gpu_assignment, torch.AcceleratorError("CUDA error: out of memory"), "out_of_memory"),
        (
            _gpu_assignment,
            torch.AcceleratorError("CUDA error: device-side assert triggered"),
            "internal",
        ),
        (_gpu_assignment, SpecError("widths is empty"), "invalid_spec"),
        (_gpu_assignment, ValueError("expected 3 values"), "internal"),
        (_assignment, LOST, "internal"),
    ],
    ids=["memory", "assert", "specification", "value", "without a GPU"],
)
def test_other_exceptions_are_recorded_as_the_job_s_failure(
    assign: Callable[[Lease], Assignment],
    error: Exception,
    kind: str,
    attempt: FakeAttempt,
    lease: Lease,
    settings: Settings,
    database: Database,
) -> None:
    attempt.error = error
    assert train(assign(lease), settings) == ExitCode.DONE
    row = job(database, lease)
    assert (row.state, row.failure["kind"]) == ("failed", kind)


@pytest.mark.usefixtures("attempt")
@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, "disk_full"), (errno.EDQUOT, "disk_full"), (errno.EROFS, "internal")],
)
def test_a_lock_file_that_cannot_be_created_is_the_job_s_failure(
    number: int,
    kind: str,
    lease: Lease,
    settings: Settings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    open_file = os.open

    def refuse_locks(path: Any, *arguments: Any, **options: Any) -> int:
        if str(path).endswith(".lock"):
            raise OSError(number, os.strerror(number), str(path))
        return open_file(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse_locks)
        assert train(_assignment(lease), settings) == ExitCode.DONE
    row = job(database, lease)
    assert (row.state, row.failure["kind"]) == ("failed", kind)


def _log_on_a_full_disk(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/full")


def _log_in_a_file(path: Path) -> None:
    path.parent.parent.write_text("a file in place of the job's directory")


@pytest.mark.parametrize("break_log", [_log_on_a_full_disk, _log_in_a_file])
def test_a_job_whose_log_cannot_be_written_ends_all_the_same(
    break_log: Callable[[Path], None], lease: Lease, settings: Settings, database: Database
) -> None:
    """A real process, in which the output of a library is buffered.

    The specification has no architecture, so a traceback is written to the log.
    """
    break_log(Storage(settings.storage).log(lease.job_id, lease.attempt))
    without_architecture = {name: SPEC[name] for name in SPEC if name != "architecture"}
    assignment = replace(_assignment(lease), spec=without_architecture)
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    runner = subprocess.run(
        [sys.executable, "-c", RUNNER],
        cwd=ROOT,
        env=buffered | {"TRAINSHED_HOME": str(settings.home), "OMP_NUM_THREADS": "1"},
        input=assignment.line(),
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert runner.stdout == b"ready\n"
    assert runner.returncode == ExitCode.DONE, runner.stderr
    row = job(database, lease)
    assert (row.state, row.failure["kind"]) == ("failed", "invalid_spec"), row.failure


@pytest.mark.parametrize("fault", [None, RuntimeError("CUDA error: out of memory")])
def test_a_spare_sets_up_gpus_until_it_gets_its_job(
    fault: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    warmed: list[int] = []

    def warm_up_gpu(index: int) -> None:
        warmed.append(index)
        if fault is not None:
            raise fault

    monkeypatch.setattr(process, "warm_up_gpu", warm_up_gpu)
    lines = io.BytesIO(b"warm GPU 1\nwarm GPU 0\nthe job\n")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=lines))
    assert process._read_assignment() == b"the job\n"
    assert warmed == [1, 0]
    assert process._read_assignment() == b"", "the end of standard input ends a spare"
