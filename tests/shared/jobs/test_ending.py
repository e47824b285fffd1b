from typing import Any

import pytest

from shared.database import Database
from shared.errors import Failure
from shared.jobs import attempts, control, events, liveness
from shared.jobs.attempts import Lease
from shared.jobs.ending import ending
from tests.worker.jobs import claimed

PROGRESS = {"epoch": 3, "epochs": 20}
FAILURE = Failure(kind="diverged", message="The loss was not finite.", hint="Lower the rate.")
FINISHED = "finished all 5 epochs"
STOPPED = "stopped early at epoch 8 of 60: val_loss has not improved since epoch 5"


@pytest.mark.parametrize(
    ("state", "values", "text"),
    [
        ("running", {"progress": PROGRESS}, None),
        ("succeeded", {"result": {"stages": {"training": {"text": STOPPED}}}}, STOPPED),
        (
            "succeeded",
            {"result": {"stages": {"a": {"text": FINISHED}, "b": {"text": STOPPED}}}},
            f"a: {FINISHED}. b: {STOPPED}",
        ),
        ("succeeded", {"result": {"stages": {"training": "epochs"}}}, "epochs"),
        ("cancelled", {"progress": PROGRESS}, "cancelled at epoch 3 of 20"),
        ("cancelled", {}, "cancelled"),
        (
            "failed",
            {"progress": PROGRESS, "failure": FAILURE.as_json()},
            "failed at epoch 3 of 20 (diverged): The loss was not finite.",
        ),
        ("failed", {"failure": FAILURE.as_json()}, "failed (diverged): The loss was not finite."),
    ],
)
def test_each_end_is_a_sentence(state: str, values: dict[str, Any], text: str | None) -> None:
    fields = {"result": None, "failure": None, "progress": None, **values}
    assert ending(state, **fields) == text


def _last_event(database: Database, lease: Lease) -> dict[str, Any]:
    with database.read() as connection:
        return events.list_events(connection, lease.job_id)[-1].data


def _beat(database: Database, lease: Lease) -> None:
    with database.write() as connection:
        liveness.record_heartbeat(connection, lease, pid=1, progress=PROGRESS)


def test_the_last_event_of_a_failed_job_has_the_sentence(database: Database) -> None:
    lease = claimed(database)
    _beat(database, lease)
    with database.write() as connection:
        attempts.fail(connection, lease, FAILURE)
    expected = "failed at epoch 3 of 20 (diverged): The loss was not finite."
    assert _last_event(database, lease)["text"] == expected


def test_the_last_event_of_a_cancelled_job_has_the_sentence(database: Database) -> None:
    lease = claimed(database)
    _beat(database, lease)
    with database.write() as connection:
        control.request_cancel(connection, lease.job_id)
        attempts.stop(connection, lease, "drained")
    assert _last_event(database, lease)["text"] == "cancelled at epoch 3 of 20"


def test_an_attempt_that_is_not_the_last_has_no_sentence(database: Database) -> None:
    lease = claimed(database)
    with database.write() as connection:
        attempts.stop(connection, lease, "drained")
    assert "text" not in _last_event(database, lease)
    with database.write() as connection:
        control.request_cancel(connection, lease.job_id)
    assert _last_event(database, lease)["text"] == "cancelled"
