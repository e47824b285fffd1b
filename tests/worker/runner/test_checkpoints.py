import errno
import threading
from pathlib import Path

import pytest
import torch

from shared.database import Database
from shared.storage import Storage
from tests.worker.experiments import experiment
from tests.worker.jobs import claimed
from worker.runner import snapshot_budget
from worker.runner.checkpoints import CheckpointWriter, snapshot_bytes
from worker.runner.writer import AttemptWriter
from worker.training import checkpoint
from worker.training.fit import fit
from worker.training.reports import EpochEnded, InitialState


@pytest.fixture
def writer(sqlite_database: Database, tmp_path: Path) -> AttemptWriter:
    return AttemptWriter(sqlite_database, Storage(tmp_path / "jobs"), claimed(sqlite_database))


def test_the_writer_s_thread_takes_no_threads_from_the_training(writer: AttemptWriter) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        CheckpointWriter(writer, experiment())
        threads: list[int] = []
        writer.put(lambda: threads.append(torch.get_num_threads()))
        writer.flush()
        assert threads == [1], "more threads than cores make every step of a training slower"
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_training_that_waits_for_the_disk_fails_once_the_disk_is_full(
    writer: AttemptWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the error the queued checkpoints are dropped, and none releases its memory."""
    states = [
        report.snapshot()
        for report in fit(experiment(training={"epochs": 2}))
        if isinstance(report, InitialState | EpochEnded)
    ]
    sizes = [snapshot_bytes(state) for state in states]
    assert sizes[0] < sizes[1], "the optimizer has a state since its first step"
    monkeypatch.setattr(snapshot_budget, "MAX_WAITING_BYTES", sum(sizes[:2]) + 1)

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save", fail)
    may_write = threading.Event()
    errors: list[OSError] = []

    def train() -> None:
        try:
            checkpoints.write(states[2], "training", ())
        except OSError as error:
            errors.append(error)

    checkpoints = CheckpointWriter(writer, experiment())
    writer.put(lambda: may_write.wait() and None)
    for state in states:
        checkpoints.write(state, "training", ())
    assert not checkpoints.is_available
    training = threading.Thread(target=train, daemon=True)
    training.start()
    may_write.set()
    training.join(60)
    assert [error.errno for error in errors] == [errno.ENOSPC]
