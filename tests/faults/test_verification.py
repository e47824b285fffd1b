"""The check of a patch whose worker and runners are killed: the verdict comes, once."""

import os
import signal
from typing import Any

import pytest
import sqlalchemy as sa

from api.http.json_patch import apply_patch
from shared import tables
from shared.broker import ring
from shared.jobs import queries, verifications
from shared.jobs.findings import list_findings
from shared.jobs.verifications import NewVerification, PatchCheck
from tests.box_driver import BoxDriver
from tests.fakes.admission import filled
from tests.faults.suspended_process import suspend

pytestmark = [pytest.mark.faults, pytest.mark.long]

#: Some seconds, so that the jobs still train when their processes are killed.
EPOCHS = 8
#: Learns nothing: its gradient vanishes, and the first patch cures it.
FAULTY: dict[str, Any] = {
    "seed": 11,
    "dataset": {"name": "digits"},
    "architecture": {"name": "mlp", "hidden_units": [64] * 10, "activation": "sigmoid"},
    "initializer": {"name": "normal", "scale": 0.05},
    "training": {"epochs": EPOCHS, "batch_size": 8},
}


def _new_check(box: BoxDriver) -> NewVerification:
    """Train the faulty network; return the check of the first patch of its first finding."""
    job = box.finish(box.submit(FAULTY))
    assert job.state == "succeeded", job.failure
    with box.database.read() as connection:
        finding = next(each for each in list_findings(connection, job.id) if each.data["patches"])
    patch = finding.data["patches"][0]
    return NewVerification(
        patch_id=patch["id"],
        job_id=job.id,
        finding_id=finding.id,
        owner=job.owner,
        fork_spec=filled(apply_patch(job.spec, patch["operations"])),
        null_spec=filled({**job.spec, "seed": job.spec["seed"] + 1}),
        epochs=EPOCHS,
    )


def _start(box: BoxDriver, new: NewVerification) -> tuple[str, str]:
    """Start a check twice; return its only two jobs: the fork and the null fork."""
    with box.database.write() as connection:
        assert verifications.start(connection, new)
    with box.database.write() as connection:
        assert not verifications.start(connection, new)
    ring(box.celery)
    with box.database.read() as connection:
        (row,) = connection.execute(
            sa.select(tables.verifications).where(tables.verifications.c.job_id == new.job_id)
        )
        count = sa.select(sa.func.count()).where(tables.jobs.c.forked_from == new.job_id)
        assert connection.execute(count).scalar_one() == 2
    return row.fork_id, row.null_id


def _check(box: BoxDriver, new: NewVerification) -> PatchCheck:
    with box.database.read() as connection:
        return verifications.read_checks(connection, new.job_id)[new.patch_id]


def _verdict(box: BoxDriver, new: NewVerification) -> PatchCheck:
    box.wait_until(lambda: _check(box, new).state not in {"queued", "running"}, "a verdict")
    return _check(box, new)


def _measured_epochs(box: BoxDriver, job_id: str) -> list[int]:
    with box.database.read() as connection:
        rows = queries.list_metrics(connection, job_id, name="val_data_loss")
    return [row.epoch for row in rows]


def _decisions(box: BoxDriver, new: NewVerification) -> int:
    lines = box.log_lines("worker")
    return sum(line["event"] == "patch checked" and line["patch"] == new.patch_id for line in lines)


def test_a_worker_that_is_killed_with_one_of_two_runners_loses_and_doubles_nothing(
    box: BoxDriver,
) -> None:
    undisturbed = _new_check(box)
    _start(box, undisturbed)
    expected = _verdict(box, undisturbed)
    assert expected.state == "verified", expected

    new = _new_check(box)
    fork, null = _start(box, new)
    runner = box.runner(fork)
    box.wait_until(lambda: box.last_step(fork) > 0, "a checkpoint")
    suspend(box, runner)
    box.kill("worker")
    os.kill(runner, signal.SIGKILL)
    box.start("worker")
    found = _verdict(box, new)
    assert (found.state, found.gain, found.detail) == (
        expected.state,
        expected.gain,
        expected.detail,
    )
    assert found.job == fork
    assert [len(box.attempts(job_id)) for job_id in (fork, null)] == [2, 1]
    for job_id in (fork, null):
        assert box.job(job_id).state == "succeeded"
        epochs = _measured_epochs(box, job_id)
        assert epochs == sorted({*epochs}), "an epoch is doubled"
        assert epochs[-1] == EPOCHS
        with box.database.read() as connection:
            found_rules = [(row.rule, row.stage) for row in list_findings(connection, job_id)]
        assert len(found_rules) == len({*found_rules}), "a finding is doubled"
    assert _decisions(box, new) == 1
    with box.database.write() as connection:
        assert not verifications.start(connection, new), "a check with a verdict is not repeated"


def test_a_check_whose_jobs_end_while_no_worker_runs_gets_its_verdict_later(
    box: BoxDriver,
) -> None:
    new = _new_check(box)
    fork, null = _start(box, new)
    box.wait_until(lambda: min(map(box.last_step, (fork, null))) > 0, "checkpoints of both")
    box.kill("worker")
    # The runners outlive their worker and end the training by themselves.
    assert {box.finish(job_id).state for job_id in (fork, null)} == {"succeeded"}
    assert _check(box, new).state == "running"
    box.start("worker")
    assert _verdict(box, new).state == "verified"
    assert _decisions(box, new) == 1
