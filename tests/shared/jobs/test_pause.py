"""Pausing and resuming jobs, and the races of a pause with everything else, in both orders."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.database import Database
from shared.errors import Conflict, Failure, NotFound
from shared.ids import new_id
from shared.jobs import attempts, control, events, liveness, queries, recording, retry_policy
from shared.jobs.attempts import Lease
from shared.jobs.events import NewEvent
from shared.jobs.recording import Batch
from shared.jobs.rows import JobRow
from tests.shared.claiming import claim
from tests.shared.interleaving import interleave
from tests.worker.jobs import claimed, claimed_again, job

CRASH = Failure(kind="crashed", message="signal 11", hint="check the log")
#: What may happen to a job, by name.
ACTIONS: dict[str, Callable[[Any, Lease], object]] = {
    "pause": lambda c, lease: control.request_pause(c, lease.job_id),
    "resume": lambda c, lease: control.resume(c, lease.job_id),
    "cancel": lambda c, lease: control.request_cancel(c, lease.job_id),
    "finish": lambda c, lease: attempts.succeed(c, lease, {}),
    "fail": lambda c, lease: attempts.fail(c, lease, CRASH),
    "drain": lambda c, lease: attempts.stop(c, lease, "drained"),
    "be lost": lambda c, lease: attempts.stop(c, lease, "worker_lost"),
    "crash": lambda c, lease: retry_policy.record_death(c, lease, "crashed", CRASH, exit_code=-11),
    "exit": lambda c, lease: attempts.stop(c, lease, "paused"),
    "claim": lambda c, _: claim(c),
}


def _do(database: Database, lease: Lease, *actions: str) -> JobRow:
    for action in actions:
        with database.write() as connection:
            ACTIONS[action](connection, lease)
    return job(database, lease)


def _events(database: Database, lease: Lease) -> list[tuple[str, Any]]:
    """Return the type of each event, and the reason of a change of state."""
    with database.read() as connection:
        rows = events.list_events(connection, lease.job_id)
    return [(row.type, row.data.get("reason")) for row in rows]


@pytest.fixture
def lease(database: Database) -> Lease:
    return claimed(database)


def test_running_job_is_paused_only_when_its_process_is_gone(
    database: Database, lease: Lease
) -> None:
    row = _do(database, lease, "pause", "pause")
    assert (row.state, row.phase) == ("running", "pausing")
    assert row.pause_requested_at
    with database.write() as connection:
        response = liveness.record_heartbeat(connection, lease, pid=1, progress=None)
    assert response.requests.is_pause_requested
    row = _do(database, lease, "exit")
    assert (row.state, row.phase, row.reason) == ("paused", None, "paused_by_user")
    assert row.finished_at is None
    assert _events(database, lease)[2:] == [
        ("pause_requested", None),
        ("state", "paused_by_user"),
    ]


def test_queued_job_is_paused_at_once_and_not_claimed(database: Database, lease: Lease) -> None:
    row = _do(database, lease, "drain", "pause", "claim")
    assert (row.state, row.reason, row.attempt) == ("paused", "paused_by_user", 1)
    with database.read() as connection:
        assert not queries.is_any_queued(connection)


def test_resumed_job_is_claimed_again(database: Database, lease: Lease) -> None:
    row = _do(database, lease, "pause", "exit", "resume", "resume")
    assert (row.state, row.reason, row.pause_requested_at) == ("queued", "resumed", None)
    assert _events(database, lease)[-1] == ("state", "resumed")
    assert claimed_again(database) == Lease(lease.job_id, 2)


def test_job_that_resumes_before_its_runner_is_gone_trains_on(
    database: Database, lease: Lease
) -> None:
    with database.write() as connection:
        stage = NewEvent("stage", {"stage": "fine_tune"})
        recording.record(connection, lease, Batch(phase="fine_tune", events=[stage]))
    row = _do(database, lease, "pause", "resume")
    assert (row.state, row.phase, row.pause_requested_at) == ("running", "fine_tune", None)
    with database.write() as connection:
        response = liveness.record_heartbeat(connection, lease, pid=1, progress=None)
    assert not response.requests.is_pause_requested
    assert _events(database, lease)[-1] == ("pause_withdrawn", None)


def test_runner_that_stopped_for_a_withdrawn_pause_leaves_its_job_queued(
    database: Database, lease: Lease
) -> None:
    row = _do(database, lease, "pause", "resume", "exit")
    assert (row.state, row.reason) == ("queued", "resumed")


def test_new_phase_does_not_hide_that_the_job_is_pausing(database: Database, lease: Lease) -> None:
    _do(database, lease, "pause")
    with database.write() as connection:
        recording.record(connection, lease, Batch(phase="evaluating"))
    assert job(database, lease).phase == "pausing"


@pytest.mark.parametrize("end", [("finish",), ("fail",), ("cancel", "exit"), ("cancel",)])
def test_job_that_has_ended_or_is_cancelled_cannot_be_paused(
    database: Database, lease: Lease, end: tuple[str, ...]
) -> None:
    before = _do(database, lease, *end)
    with pytest.raises(Conflict) as caught:
        _do(database, lease, "pause")
    assert caught.value.data == {"state": before.state, "allowed": ["queued", "running"]}
    assert job(database, lease) == before


@pytest.mark.parametrize("end", [("finish",), ("fail",), ("pause", "exit", "cancel")])
def test_job_that_has_ended_cannot_be_resumed(
    database: Database, lease: Lease, end: tuple[str, ...]
) -> None:
    before = _do(database, lease, *end)
    with pytest.raises(Conflict) as caught:
        _do(database, lease, "resume")
    assert caught.value.data == {"state": before.state, "allowed": ["paused"]}
    assert job(database, lease) == before


def test_resuming_a_job_that_is_not_paused_changes_nothing(
    database: Database, lease: Lease
) -> None:
    for action in ("claim", "cancel"):  # running, and running with a cancel request
        before = _do(database, lease, action)
        assert _do(database, lease, "resume") == before


def test_there_is_nothing_to_pause_without_a_job(database: Database) -> None:
    for change in (control.request_pause, control.resume):
        with pytest.raises(NotFound), database.write() as connection:
            change(connection, new_id("job"))


@pytest.mark.parametrize(
    ("earlier", "races"),
    [
        (
            [],
            {
                ("pause", "finish"): "succeeded",
                ("finish", "pause"): "succeeded",
                ("pause", "fail"): "failed",
                ("fail", "pause"): "failed",
                ("pause", "cancel"): "cancelled",
                ("cancel", "pause"): "cancelled",
                ("pause", "drain"): "paused",
                ("drain", "pause"): "paused",
                ("pause", "be lost"): "paused",
                ("be lost", "pause"): "paused",
                ("pause", "crash"): "paused",
                ("crash", "pause"): "paused",
                ("pause", "exit"): "paused",
                ("pause", "resume"): "queued",
                ("resume", "pause"): "paused",
                ("pause", "pause"): "paused",
            },
        ),
        (
            ["drain"],
            {
                ("pause", "claim"): "paused",
                ("claim", "pause"): "paused",
                ("pause", "cancel"): "cancelled",
                ("cancel", "pause"): "cancelled",
            },
        ),
        (
            ["pause", "exit"],
            {
                ("resume", "cancel"): "cancelled",
                ("cancel", "resume"): "cancelled",
                ("resume", "resume"): "queued",
                ("resume", "pause"): "paused",
                ("pause", "resume"): "queued",
            },
        ),
    ],
    ids=["running", "queued", "paused"],
)
def test_races_of_a_pause(
    database: Database, earlier: list[str], races: dict[tuple[str, str], str]
) -> None:
    """The second action begins while the first is not committed; a job that still runs stops."""
    for (first, second), state in races.items():
        lease = claimed(database)
        _do(database, lease, *earlier)
        interleave(
            database,
            lambda c, first=first, lease=lease: ACTIONS[first](c, lease),
            lambda c, second=second, lease=lease: ACTIONS[second](c, lease),
        )
        row = job(database, lease)
        if row.state == "running":
            row = _do(database, Lease(row.id, row.attempt), "exit")
        assert row.state == state, (earlier, first, second)
        assert (row.finished_at is None) == (state in {"queued", "paused"})
        changes = [reason for _, reason in _events(database, lease)]
        assert changes.count("resumed") <= 1, "two resumes queue a job once"
        if state in {"queued", "paused"}:
            _do(database, lease, "cancel")


def test_crash_that_a_job_does_not_survive_fails_it_even_while_it_is_pausing(
    database: Database, lease: Lease
) -> None:
    for _ in range(retry_policy.MAX_ATTEMPTS["crashed"] - 1):
        _do(database, lease, "crash")
        lease = claimed_again(database)
    assert _do(database, lease, "pause", "crash").state == "failed"
