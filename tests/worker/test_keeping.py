from pathlib import Path

import pytest
import torch

from shared import migrations
from shared.database import Database
from shared.storage import Storage
from tests.worker.experiments import experiment
from tests.worker.jobs import claimed
from worker.keeping import Keeper
from worker.scribe import Scribe


@pytest.fixture
def scribe(tmp_path: Path) -> Scribe:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}", pool_size=3)
    migrations.upgrade(database)
    return Scribe(database, Storage(tmp_path / "jobs"), claimed(database))


def test_writing_checkpoints_leaves_the_training_all_its_threads(scribe: Scribe) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        Keeper(scribe, experiment())
        seen: list[int] = []
        scribe.put(lambda: seen.append(torch.get_num_threads()))
        scribe.flush()
        assert seen == [1], "more threads than cores make every step of a training slower"
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
        scribe.database.close()
