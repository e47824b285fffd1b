"""What the plan reads of jobs that have run before."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.database import Database
from shared.jobs import attempts
from shared.jobs.planning.box import Policy
from shared.jobs.read_box import read_box
from shared.jobs.submission import Submission, submit
from tests.shared.claiming import claim
from tests.shared.specs import filled_in


@pytest.mark.parametrize("gpus", [1, 2])
def test_time_on_several_devices_counts_once_for_what_is_left(
    database: Database, gpus: int
) -> None:
    with database.write() as connection:
        spec = filled_in(resources={"gpus": gpus})
        job_id = submit(connection, Submission(owner="ada", spec=spec))[0]
        connection.execute(sa.update(tables.jobs).values(seconds_p50=1_000.0, seconds_p90=1_000.0))
        claimed = claim(connection)
    assert claimed is not None
    of_attempt = sa.update(tables.attempts).where(tables.attempts.c.job_id == job_id)
    with database.write() as connection:
        attempts.stop(connection, claimed.lease, reason="drained")
        connection.execute(of_attempt.values(device_seconds=300.0 * gpus))
    with database.read() as connection:
        (waiting,) = read_box(connection, Policy()).lines["ada"]
    assert waiting.seconds_p50 == pytest.approx(700.0)

    with database.write() as connection:
        assert claim(connection) is not None
        started = {"started_at": now() - timedelta(seconds=100)}
        connection.execute(of_attempt.where(tables.attempts.c.number == 2).values(started))
        names = [f"cpu:{number}" for number in range(gpus)]
        connection.execute(sa.update(tables.live).values(devices=names))
    with database.read() as connection:
        box = read_box(connection, Policy())
    (running,) = box.running
    assert running.ends_p50 - box.now == pytest.approx(600.0, abs=5)
