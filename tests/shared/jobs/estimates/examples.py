"""A filled specification, observations and their rows, with defaults, for tests."""

from copy import deepcopy
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.database import Database
from shared.jobs.attempts import Lease
from shared.jobs.estimates.cost import Cost, cost_of
from shared.jobs.estimates.durations import Observation
from shared.jobs.estimates.history import Measured, add
from tests.shared.rows import AT
from tests.shared.specs import filled_in

CPU = "CPU, 1 threads"
TRAINING = {"epochs": 10, "batch_size": 32, "precision": "float32", "deterministic": True}
DATASET = {"name": "digits", "train": 100, "validation": 50, "test": 50, "image_size": 8}


def full_spec(**changes: Any) -> dict[str, Any]:
    """Return a filled specification; `training` and `dataset` change single fields."""
    spec = filled_in(training=dict(TRAINING), dataset={**DATASET, "channels": 1})
    spec = deepcopy(spec)
    for part in ("training", "dataset"):
        spec[part] |= changes.pop(part, {})
    return spec | changes


def cost(**changes: Any) -> Cost:
    """Return the cost of a specification with these changes."""
    found = cost_of(full_spec(**changes))
    assert found is not None
    return found


def observation(of: Cost, pass_seconds: float | None, **values: Any) -> Observation:
    """Return an observation of a job of this cost."""
    return Observation(of.kind, of.family, CPU, of.size, pass_seconds, **values)


def observe(
    database: Database, job_id: str, of: Cost, seconds: float = 0.01, **values: Any
) -> None:
    """Record an attempt of a job of this cost; its passes took so many seconds."""
    measured: dict[str, Any] = {"device_model": CPU, "pass_seconds": seconds, "fraction": 1.0}
    measured |= {"overhead_seconds": 1.0, "seconds": of.passes * seconds + 1.0, "is_last": True}
    with database.write() as connection:
        add(connection, Lease(job_id, 1), of, Measured(**(measured | values)), AT)


def rows(database: Database) -> list[Any]:
    """Return the stored observations."""
    with database.read() as connection:
        query = sa.select(tables.observations).order_by(tables.observations.c.id)
        return list(connection.execute(query))
