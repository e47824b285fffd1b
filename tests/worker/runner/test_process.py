"""How a runner ends where its GPU or its disk fails, with a stand-in for the training itself."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from shared import migrations
from shared.database import Database
from shared.jobs.attempts import Lease
from shared.settings import Settings
from shared.storage import Storage
from tests.shared.specs import filled_in
from tests.worker.jobs import claimed, job
from worker.assignment import Assignment, ExitCode
from worker.runner import process
from worker.runner.process import train

ROOT = Path(__file__).parents[3]
RUNNER = """
import runpy
print("a library says hello")
runpy.run_module("worker.runner", run_name="__main__")
"""
MEMORY_MIB = 2**24
UNBOUNDED = resource.getrlimit(resource.RLIMIT_AS)[0]
LOST = torch.AcceleratorError("CUDA error: uncorrectable ECC error encountered")
SPEC = filled_in(training={"batch_size": 8})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path, runner_memory_mib=MEMORY_MIB)
    made.make_directories()
    return made


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    opened = Database(settings.database, pool_size=2)
    migrations.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def lease(database: Database) -> Lease:
    return claimed(database)


def _assignment(lease: Lease, **device: Any) -> Assignment:
    of_the_cpu = {"device": "cpu:0", "uuid": "", "index": 0}
    return Assignment(
        lease.job_id, lease.attempt, SPEC, None, **{"threads": 1, **of_the_cpu, **device}
    )


def _on_a_gpu(lease: Lease) -> Assignment:
    return _assignment(lease, device="cuda:5", uuid="GPU-5", index=2)


class Training:
    """Instead of an attempt: notes what it finds when it begins, and may fail."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.error: Exception | None = None
        self.has_settled = False
        self.scribe = SimpleNamespace(settle=self._settle)

    def __call__(self, *_: object) -> "Training":
        return self

    def _settle(self) -> None:
        self.has_settled = True

    def run(self) -> int:
        self.seen.append(("trains within", resource.getrlimit(resource.RLIMIT_AS)[0]))
        if self.error is not None:
            raise self.error
        return ExitCode.DONE


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Training:
    made = Training()
    monkeypatch.setattr(process, "Attempt", made)
    monkeypatch.setattr(process, "_log_to", lambda _: None)
    monkeypatch.setattr(
        torch.cuda, "set_device", lambda index: made.seen.append(("takes GPU", index))
    )
    return made


def test_on_a_gpu_it_takes_its_own_first_and_has_all_addresses(
    training: Training, lease: Lease, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1,GPU-3,GPU-5")
    assert train(_on_a_gpu(lease), settings) == ExitCode.DONE
    assert training.seen == [("takes GPU", 2), ("trains within", UNBOUNDED)]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-1,GPU-3,GPU-5", "too late to change"


def test_on_the_cpu_it_touches_no_gpu_and_its_addresses_are_bounded(
    training: Training, lease: Lease, settings: Settings
) -> None:
    assert train(_assignment(lease), settings) == ExitCode.DONE
    assert training.seen == [("trains within", MEMORY_MIB * 2**20)]


def test_a_fault_of_the_gpu_leaves_the_job_to_be_tried_again(
    training: Training, lease: Lease, settings: Settings, database: Database
) -> None:
    training.error = LOST
    assert train(_on_a_gpu(lease), settings) == ExitCode.DEVICE_FAULT
    assert training.has_settled, "the last checkpoint is not stored"
    assert job(database, lease).state == "running"


def test_so_does_a_gpu_that_cannot_even_be_taken(
    training: Training,
    lease: Lease,
    settings: Settings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone(_: int) -> None:
        raise RuntimeError("No CUDA GPUs are available")

    monkeypatch.setattr(torch.cuda, "set_device", gone)
    assert train(_on_a_gpu(lease), settings) == ExitCode.DEVICE_FAULT
    assert training.seen == []
    assert job(database, lease).state == "running"


@pytest.mark.parametrize(
    ("assign", "error", "kind"),
    [
        (_on_a_gpu, torch.AcceleratorError("CUDA error: out of memory"), "out_of_memory"),
        (_on_a_gpu, torch.AcceleratorError("CUDA error: device-side assert triggered"), "internal"),
        (_on_a_gpu, ValueError("widths is empty"), "invalid_spec"),
        (_assignment, LOST, "internal"),
    ],
    ids=["memory", "assert", "specification", "without a GPU"],
)
def test_what_is_the_job_s_own_is_its_failure(
    assign: Callable[[Lease], Assignment],
    error: Exception,
    kind: str,
    training: Training,
    lease: Lease,
    settings: Settings,
    database: Database,
) -> None:
    training.error = error
    assert train(assign(lease), settings) == ExitCode.DONE
    row = job(database, lease)
    assert (row.state, row.failure["kind"]) == ("failed", kind)


@pytest.mark.usefixtures("training")
@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, "disk_full"), (errno.EDQUOT, "disk_full"), (errno.EROFS, "internal")],
)
def test_a_lock_that_cannot_be_made_is_the_job_s_failure(
    number: int,
    kind: str,
    lease: Lease,
    settings: Settings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = os.open

    def no_locks(path: Any, *arguments: Any, **named: Any) -> int:
        if str(path).endswith(".lock"):
            raise OSError(number, os.strerror(number), str(path))
        return opened(path, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", no_locks)
        assert train(_assignment(lease), settings) == ExitCode.DONE
    row = job(database, lease)
    assert (row.state, row.failure["kind"]) == ("failed", kind)


def _log_on_a_full_disk(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/full")


def _log_where_no_directory_can_be(path: Path) -> None:
    path.parent.parent.write_text("a file of the job's name")


@pytest.mark.parametrize("spoil", [_log_on_a_full_disk, _log_where_no_directory_can_be])
def test_a_job_whose_log_cannot_be_written_comes_to_its_end_all_the_same(
    spoil: Callable[[Path], None], lease: Lease, settings: Settings, database: Database
) -> None:
    """A whole process, in which a library has printed something that waits to be written.

    The specification has no architecture: the traceback goes to the log.
    """
    spoil(Storage(settings.storage).log(lease.job_id, lease.attempt))
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    ended = subprocess.run(
        [sys.executable, "-c", RUNNER],
        cwd=ROOT,
        env=buffered | {"TRAINSHED_HOME": str(settings.home), "OMP_NUM_THREADS": "1"},
        input=_assignment(lease).line(),
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert ended.stdout == b"ready\n"
    assert ended.returncode == ExitCode.DONE, ended.stderr
    row = job(database, lease)
    assert (row.state, row.failure["kind"]) == ("failed", "invalid_spec")
