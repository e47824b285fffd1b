"""Findings are written under the fence, and go back to their state at a checkpoint."""

from dataclasses import replace
from typing import Any

import pytest

from shared.database import Database
from shared.errors import Fenced
from shared.jobs import attempts
from shared.jobs.attempts import Lease
from shared.jobs.findings import (
    MAX_WATCHES,
    NewDiagnosis,
    NewFinding,
    NewWatch,
    list_findings,
    read_watch,
)
from shared.jobs.recording import Batch, record
from shared.jobs.resumption import begin_attempt
from tests.shared.rows import finding
from tests.worker.jobs import claimed, claimed_again, job

FINDING = finding()


def _diagnosis(*rows: NewFinding, errors: int = 0) -> NewDiagnosis:
    counts = {"error": errors, "warning": 0, "info": 0}
    return NewDiagnosis(findings=[*rows], counts=counts, headline=f"{errors} errors")


def _watch(step: int, epoch: int, *rows: NewFinding) -> NewWatch:
    data: dict[str, Any] = {
        "findings": [vars(row) for row in rows],
        "counts": {"error": len(rows), "warning": 0, "info": 0},
        "headline": f"{len(rows)} errors" if rows else None,
    }
    return NewWatch(step=step, epoch=epoch, data=data)


def _steps(database: Database, lease: Lease) -> list[tuple[str, int]]:
    with database.read() as connection:
        return [(row.rule, row.last_step) for row in list_findings(connection, lease.job_id)]


def test_a_finding_replaces_the_finding_of_its_rule_and_stage(database: Database) -> None:
    lease = claimed(database)
    later = replace(FINDING, last_step=40)
    with database.write() as connection:
        record(connection, lease, Batch(diagnosis=_diagnosis(FINDING, errors=1)))
        record(connection, lease, Batch(diagnosis=_diagnosis(later, errors=1)))
    assert _steps(database, lease) == [("dead_relu", 40)]
    assert job(database, lease).findings == {"error": 1, "warning": 0, "info": 0}
    assert job(database, lease).headline == "1 errors"


def test_a_fenced_attempt_records_no_finding(database: Database) -> None:
    lease = claimed(database)
    with database.write() as connection:
        attempts.stop(connection, lease, "worker_lost")
    newer = claimed_again(database)
    with pytest.raises(Fenced), database.write() as connection:
        record(connection, lease, Batch(diagnosis=_diagnosis(FINDING, errors=1)))
    assert _steps(database, newer) == []


def test_a_resumed_attempt_continues_with_the_findings_of_its_checkpoint(
    database: Database,
) -> None:
    lease = claimed(database)
    other = replace(FINDING, id="fnd_2", rule="overfit", first_step=60, last_step=60)
    with database.write() as connection:
        record(connection, lease, Batch(diagnosis=_diagnosis(FINDING, errors=1)))
        record(connection, lease, Batch(watch=_watch(40, 1, FINDING)))
        changed = (replace(FINDING, last_step=60, state="resolved"), other)
        record(connection, lease, Batch(diagnosis=_diagnosis(*changed, errors=2)))
        record(connection, lease, Batch(watch=_watch(80, 2, *changed)))
        attempts.stop(connection, lease, "worker_lost")
    again = claimed_again(database)
    with database.write() as connection:
        begin_attempt(connection, again, first_step=40, first_epoch=1, fingerprint={})
    assert _steps(database, again) == [("dead_relu", 20)]
    assert job(database, again).findings["error"] == 1
    assert job(database, again).headline == "1 errors"
    with database.read() as connection:
        assert read_watch(connection, again.job_id, 80, 2) is None


def test_without_a_stored_watch_later_findings_are_deleted(database: Database) -> None:
    lease = claimed(database)
    other = replace(FINDING, id="fnd_2", rule="overfit", first_step=60, last_step=60)
    with database.write() as connection:
        record(connection, lease, Batch(diagnosis=_diagnosis(FINDING, other, errors=2)))
        attempts.stop(connection, lease, "worker_lost")
    again = claimed_again(database)
    with database.write() as connection:
        begin_attempt(connection, again, first_step=40, first_epoch=1, fingerprint={})
    assert _steps(database, again) == [("dead_relu", 20)]
    assert job(database, again).findings["error"] == 1


def test_only_the_newest_watches_are_kept(database: Database) -> None:
    lease = claimed(database)
    with database.write() as connection:
        for step in range(10):
            record(connection, lease, Batch(watch=_watch(step, 1)))
    with database.read() as connection:
        kept = [s for s in range(10) if read_watch(connection, lease.job_id, s, 1) is not None]
    assert kept == [*range(10 - MAX_WATCHES, 10)]


def test_roots_come_before_consequences_and_errors_before_warnings(database: Database) -> None:
    lease = claimed(database)
    rows = [
        replace(FINDING, id="fnd_1", rule="a", severity="info", because_of="fnd_3"),
        replace(FINDING, id="fnd_2", rule="b", severity="warning"),
        replace(FINDING, id="fnd_3", rule="c", severity="error"),
        replace(FINDING, id="fnd_4", rule="d", severity="error", state="resolved"),
    ]
    with database.write() as connection:
        record(connection, lease, Batch(diagnosis=_diagnosis(*rows)))
    assert [rule for rule, _ in _steps(database, lease)] == ["c", "b", "a", "d"]
