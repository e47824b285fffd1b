import errno
import threading
from pathlib import Path

import pytest
import torch

from shared import migrations
from shared.database import Database
from shared.storage import Storage
from tests.worker.experiments import experiment
from tests.worker.jobs import claimed
from worker.runner import snapshot_budget
from worker.runner.checkpoints import CheckpointWriter, size_of
from worker.runner.writer import Writer
from worker.training import checkpoint
from worker.training.fit import fit
from worker.training.reports import EpochEnded, InitialState


@pytest.fixture
def scribe(tmp_path: Path) -> Writer:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}", pool_size=3)
    migrations.upgrade(database)
    return Writer(database, Storage(tmp_path / "jobs"), claimed(database))


def test_writing_checkpoints_leaves_the_training_all_its_threads(scribe: Writer) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        CheckpointWriter(scribe, experiment())
        seen: list[int] = []
        scribe.put(lambda: seen.append(torch.get_num_threads()))
        scribe.flush()
        assert seen == [1], "more threads than cores make every step of a training slower"
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
        scribe.database.close()


def test_a_training_that_waits_for_room_hears_that_there_will_be_none(
    scribe: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full: what waits to be written is written no more, and makes no room."""
    states = [
        report.snapshot()
        for report in fit(experiment(training={"epochs": 2}))
        if isinstance(report, InitialState | EpochEnded)
    ]
    sizes = [size_of(state) for state in states]
    assert sizes[0] < sizes[1], "the optimizer keeps something since its first step"
    monkeypatch.setattr(snapshot_budget, "MOST_BYTES", sum(sizes[:2]) + 1)

    def fill(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save", fill)
    is_away = threading.Event()
    heard: list[OSError] = []

    def train() -> None:
        try:
            keeper.keep(states[2], "training", ())
        except OSError as error:
            heard.append(error)

    keeper = CheckpointWriter(scribe, experiment())
    scribe.put(lambda: is_away.wait() and None)
    for state in states:
        keeper.keep(state, "training", ())
    assert not keeper.has_room
    training = threading.Thread(target=train, daemon=True)
    training.start()
    is_away.set()
    training.join(60)
    scribe.database.close()
    assert [error.errno for error in heard] == [errno.ENOSPC]
