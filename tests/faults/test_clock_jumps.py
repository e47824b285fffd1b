"""A clock that is set forward or back while a job of a real box runs."""

from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from tests.box_driver import BoxDriver
from tests.faults.conftest import SPEC

pytestmark = [pytest.mark.faults, pytest.mark.long]

HOUR_SECONDS = 3_600


def _used_seconds(box: BoxDriver) -> float:
    """Return the device time that is charged to all people."""
    days = tables.used_days.c
    with box.database.read() as connection:
        return connection.execute(sa.select(sa.func.sum(days.device_seconds))).scalar_one() or 0.0


@pytest.mark.parametrize("seconds", [-HOUR_SECONDS, HOUR_SECONDS], ids=["back", "forward"])
def test_a_job_runs_once_and_is_charged_for_its_time(
    box: BoxDriver, undisturbed: dict[str, Any], seconds: int
) -> None:
    """The clock is wrong from the start of the second worker to the start of the third."""
    before = _used_seconds(box)
    job_id = box.submit(SPEC)
    box.wait_until(lambda: box.last_step(job_id) > 0, "a checkpoint")
    box.kill("worker")
    box.start("worker", TRAINSHED_TEST_CLOCK_SECONDS=str(seconds))
    while_wrong = box.submit(SPEC)
    for each in (job_id, while_wrong):
        assert box.finish(each).state == "succeeded"
        assert len(box.attempts(each)) == 1
        assert box.outcome(each) == undisturbed
    assert box.end("worker") == 0
    box.start("worker")
    afterwards = box.submit(SPEC)
    assert box.finish(afterwards).state == "succeeded"
    assert len(box.attempts(afterwards)) == 1
    assert 0 <= _used_seconds(box) - before < HOUR_SECONDS
