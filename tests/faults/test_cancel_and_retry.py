"""Cancelling a running job, and retrying it afterwards."""

import time
from typing import Any

import pytest

from shared.broker import ring
from shared.jobs import control
from shared.jobs.submission import Submission, submit
from tests.box_driver import BoxDriver, is_alive
from tests.faults.conftest import SPEC, STEPS, STEPS_PER_EPOCH
from tests.faults.suspended_process import suspend, unsuspend
from worker.runner.heartbeat import BEAT_SECONDS

pytestmark = pytest.mark.faults


def test_a_cancelled_job_has_no_process_and_its_retry_resumes_from_its_last_checkpoint(
    box: BoxDriver, undisturbed: dict[str, Any]
) -> None:
    job_id = box.submit(SPEC)
    pid = box.runner(job_id)
    box.wait_until(lambda: box.last_step(job_id) > STEPS_PER_EPOCH, "the second epoch")

    suspend(box, pid)
    box.cancel(job_id)
    time.sleep(BEAT_SECONDS)  # the next heartbeat is due, and with it the request
    unsuspend(pid)
    box.wait_until(lambda: box.job(job_id).state == "cancelled", "the cancel")

    assert not is_alive(pid)
    assert job_id not in box.runners().values()
    last = box.last_step(job_id)
    assert STEPS_PER_EPOCH < last < STEPS

    with box.database.write() as connection:
        origin = control.get_retry_origin(connection, job_id)
        retry, _ = submit(
            connection,
            Submission(
                owner="admin",
                spec=origin.spec,
                retry_of=job_id,
                resume_from=origin.checkpoint,
            ),
        )
    ring(box.celery)
    job = box.finish(retry)

    assert job.state == "succeeded", job.failure
    assert [row.first_step for row in box.attempts(retry)] == [last]
    outcome = box.outcome(retry)
    assert outcome["weights"] == undisturbed["weights"]
    assert outcome["predictions"] == undisturbed["predictions"]
    # The retry has only the metrics after its first step; they are bit for bit the same.
    assert set(outcome["metrics"]) <= set(undisturbed["metrics"])
    assert {row[0] for row in outcome["metrics"]} == {row[0] for row in undisturbed["metrics"]}
