"""One box for all fault tests, and the outcome of a job without a fault, for comparison."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.box_driver import BoxDriver

#: With everything that resuming could get wrong: dropout, batch norm, momentum and a penalty.
SPEC: dict[str, Any] = {
    "name": "faults",
    "seed": 11,
    "dataset": {"name": "digits", "image_size": 16},
    "architecture": {"name": "vgg_small", "widths": [8, 16], "hidden_units": [32]},
    "regularizers": {"l2": {"weight": 0.0001}, "label_smoothing": {"alpha": 0.1}},
    "optimizer": {"name": "sgd", "learning_rate": 0.02, "momentum": 0.9, "nesterov": True},
    "training": {"epochs": 4, "batch_size": 8},
    # A limit that the healthy training exceeds at each moment, so that it has a finding to lose.
    "diagnostics": {"rules": {"weight_update_ratio": {"highest": -5.0}}},
}
STEPS_PER_EPOCH = 158
STEPS = 4 * STEPS_PER_EPOCH
#: Runs until it is cancelled.
LONG = {**SPEC, "training": {"epochs": 10_000, "batch_size": 8}}
#: Takes a moment.
SHORT: dict[str, Any] = {
    "dataset": {"name": "digits"},
    "architecture": {"name": "linear"},
    "training": {"epochs": 1, "batch_size": 256},
}


@pytest.fixture(scope="session")
def session_box() -> Iterator[BoxDriver]:
    """The box, in the state in which the previous test left it."""
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
def box(session_box: BoxDriver) -> BoxDriver:
    """The box with a worker and without unfinished jobs."""
    if not session_box.is_running("worker"):
        session_box.start("worker")
    session_box.cancel_all()
    return session_box


@pytest.fixture(scope="session")
def undisturbed(session_box: BoxDriver) -> dict[str, Any]:
    """The outcome of `SPEC` without any fault."""
    job_id = session_box.submit(SPEC)
    job = session_box.finish(job_id)
    assert job.state == "succeeded", job.failure
    assert len(session_box.attempts(job_id)) == 1
    return session_box.outcome(job_id)
