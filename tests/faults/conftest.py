"""One box for all fault tests, and one training that nothing happened to, to compare with."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.box_driver import BoxDriver

#: Dropout, batch norm, momentum and a penalty: whatever a resumed training could get wrong.
SPEC: dict[str, Any] = {
    "name": "faults",
    "seed": 11,
    "dataset": {"name": "digits", "image_size": 16},
    "architecture": {"name": "vgg_small", "widths": [8, 16], "hidden_units": [32]},
    "regularizers": {"l2": {"weight": 0.0001}, "label_smoothing": {"alpha": 0.1}},
    "optimizer": {"name": "sgd", "learning_rate": 0.02, "momentum": 0.9, "nesterov": True},
    "training": {"epochs": 4, "batch_size": 8},
}
STEPS_OF_AN_EPOCH = 158
STEPS = 4 * STEPS_OF_AN_EPOCH
#: Goes on until somebody ends it.
LONG = {**SPEC, "training": {"epochs": 10_000, "batch_size": 8}}
#: Over in a moment.
SHORT: dict[str, Any] = {
    "dataset": {"name": "digits"},
    "architecture": {"name": "linear"},
    "training": {"epochs": 1, "batch_size": 256},
}


@pytest.fixture(scope="session")
def stage() -> Iterator[BoxDriver]:
    """The box; its worker is whatever the last test left of it."""
    home = Path(tempfile.mkdtemp(prefix="trainshed-faults-"))
    driver = BoxDriver(home)
    try:
        driver.start("broker")
        driver.start("worker")
        yield driver
    finally:
        driver.close()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def box(stage: BoxDriver) -> BoxDriver:
    """The box with a worker and nothing to do."""
    if not stage.is_running("worker"):
        stage.start("worker")
    stage.cancel_what_is_left()
    return stage


@pytest.fixture(scope="session")
def undisturbed(stage: BoxDriver) -> dict[str, Any]:
    """What `SPEC` comes to when nothing happens to it."""
    job_id = stage.submit(SPEC)
    job = stage.finish(job_id)
    assert job.state == "succeeded", job.failure
    assert len(stage.attempts(job_id)) == 1
    return stage.outcome(job_id)
