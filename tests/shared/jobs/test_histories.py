"""Random histories of jobs, compared with a model of states, leases and events."""

import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.database import Database
from shared.errors import Conflict, Failure, Fenced
from shared.jobs import attempts, control, events, liveness, queries, recording, retry_policy
from shared.jobs.attempts import Lease
from shared.jobs.events import NewEvent
from shared.jobs.recording import Batch
from shared.jobs.resumption import begin_attempt
from shared.jobs.submission import Submission, submit
from shared.jobs.waiting import Lines
from shared.states import FINAL
from tests.databases import make_tables
from tests.shared.claiming import claim
from tests.shared.specs import filled_in

HISTORIES = int(os.environ.get("TRAINSHED_TEST_HISTORIES", "60"))
CRASH = Failure(kind="crashed", message="exit 1", hint="")
STALL = Failure(kind="stalled", message="no step", hint="")
PICK = st.integers(0, 10**6)


class Histories(RuleBasedStateMachine):
    """Any order of submissions, claims, ends, cancels, pauses and writes of lost attempts."""

    @initialize()
    def open(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.database = Database(f"sqlite:///{Path(self.directory.name) / 'h.db'}", pool_size=2)
        make_tables(self.database)
        self.states: dict[str, str] = {}
        self.cancel_requested: set[str] = set()
        self.pause_requested: set[str] = set()
        self.holders: dict[str, Lease] = {}
        self.lost_leases: list[Lease] = []
        self.stalls: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self.batches: Counter[Lease] = Counter()

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()
            self.directory.cleanup()

    @rule(priority=st.sampled_from(["low", "normal", "high"]))
    def submit(self, priority: str) -> None:
        with self.database.write() as connection:
            spec = filled_in(priority=priority)
            job, _ = submit(connection, Submission(owner="admin", spec=spec))
        self.states[job] = "queued"

    @rule()
    def claim(self) -> None:
        with self.database.write() as connection:
            claimed = claim(connection)
        if claimed is None:
            assert "queued" not in self.states.values()
            return
        job = claimed.lease.job_id
        assert self.states[job] == "queued"
        self.states[job] = "running"
        self.holders[job] = claimed.lease

    def _pick_lease(self, pick: int) -> Lease | None:
        leases = sorted(self.holders.values(), key=lambda lease: lease.job_id)
        return leases[pick % len(leases)] if leases else None

    def _release(self, lease: Lease, state: str) -> None:
        self.states[lease.job_id] = state
        self.lost_leases.append(self.holders.pop(lease.job_id))

    def _state_after_stop(self, job: str) -> str:
        if job in self.cancel_requested:
            return "cancelled"
        return "paused" if job in self.pause_requested else "queued"

    @rule(pick=PICK, reason=st.sampled_from(["drained", "worker_lost", "cancel", "paused"]))
    def stop(self, pick: int, reason: str) -> None:
        lease = self._pick_lease(pick)
        if lease is not None:
            with self.database.write() as connection:
                state = attempts.stop(connection, lease, reason)
            assert state == self._state_after_stop(lease.job_id)
            self._release(lease, state)

    @rule(pick=PICK)
    def die(self, pick: int) -> None:
        lease = self._pick_lease(pick)
        if lease is not None:
            with self.database.write() as connection:
                state = retry_policy.record_death(connection, lease, "crashed", CRASH, exit_code=1)
            self._release(lease, state)

    @rule(pick=PICK)
    def stall(self, pick: int) -> None:
        lease = self._pick_lease(pick)
        if lease is not None:
            with self.database.write() as connection:
                state = retry_policy.record_death(connection, lease, "stalled", STALL, exit_code=13)
            self.stalls[lease.job_id] += 1
            expected = self._state_after_stop(lease.job_id)
            if expected != "cancelled" and self.stalls[lease.job_id] > 1:
                expected = "failed"
            assert state == expected
            self._release(lease, state)

    @rule(pick=PICK, is_success=st.booleans())
    def end(self, pick: int, *, is_success: bool) -> None:
        lease = self._pick_lease(pick)
        if lease is not None:
            with self.database.write() as connection:
                if is_success:
                    attempts.succeed(connection, lease, {})
                else:
                    attempts.fail(connection, lease, CRASH)
            self._release(lease, "succeeded" if is_success else "failed")

    @rule(pick=PICK, times=st.integers(1, 3))
    def beat_and_record(self, pick: int, times: int) -> None:
        """All answers but the last are lost, so the batch is sent again."""
        lease = self._pick_lease(pick)
        if lease is not None:
            self.batches[lease] += 1
            self.notes[lease.job_id] += 1
            number, batch = self.batches[lease], Batch(events=[NewEvent("note")])
            for _ in range(times):
                with self.database.write() as connection:
                    recording.record(connection, lease, batch, number=number)
            with self.database.write() as connection:
                response = liveness.record_heartbeat(connection, lease, pid=1, progress=None)
            assert response.requests.is_cancel_requested == (lease.job_id in self.cancel_requested)
            assert response.requests.is_pause_requested == (lease.job_id in self.pause_requested)

    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        if not self.states:
            return
        job = sorted(self.states)[pick % len(self.states)]
        try:
            with self.database.write() as connection:
                control.request_cancel(connection, job)
        except Conflict:
            assert self.states[job] in FINAL - {"cancelled"}
        else:
            self.cancel_requested.add(job)
            if self.states[job] in {"queued", "paused"}:
                self.states[job] = "cancelled"

    @rule(pick=PICK)
    def pause(self, pick: int) -> None:
        if not self.states:
            return
        job = sorted(self.states)[pick % len(self.states)]
        try:
            with self.database.write() as connection:
                control.request_pause(connection, job)
        except Conflict:
            assert self.states[job] in FINAL or job in self.cancel_requested
        else:
            self.pause_requested.add(job)
            if self.states[job] == "queued":
                self.states[job] = "paused"

    @rule(pick=PICK)
    def resume(self, pick: int) -> None:
        if not self.states:
            return
        job = sorted(self.states)[pick % len(self.states)]
        try:
            with self.database.write() as connection:
                is_queued = control.resume(connection, job)
        except Conflict:
            assert self.states[job] in FINAL
        else:
            assert is_queued == (self.states[job] == "paused")
            if job not in self.cancel_requested:
                self.pause_requested.discard(job)
            if is_queued:
                self.states[job] = "queued"

    @rule(pick=PICK, which=st.integers(0, 4))
    def lost_attempt_writes(self, pick: int, which: int) -> None:
        if not self.lost_leases:
            return
        lease = self.lost_leases[pick % len(self.lost_leases)]
        writes: list[Any] = [
            lambda c: liveness.record_heartbeat(c, lease, pid=1, progress={}),
            lambda c: recording.record(c, lease, Batch(events=[NewEvent("note")])),
            lambda c: attempts.succeed(c, lease, {}),
            lambda c: attempts.stop(c, lease, "drained"),
            lambda c: begin_attempt(c, lease, first_step=0, fingerprint={}),
        ]
        try:
            with self.database.write() as connection:
                writes[which](connection)
        except Fenced:
            return
        raise AssertionError(f"{lease} lost its job and could still write")

    @invariant()
    def database_agrees_with_the_model(self) -> None:
        if not hasattr(self, "database"):
            return
        with self.database.read() as connection:
            for job, state in self.states.items():
                row = queries.get_job(connection, job)
                assert row is not None, "a submitted job is lost"
                assert row.state == state
                assert (row.finished_at is not None) == (state in FINAL)
                rows = events.list_events(connection, job, limit=1000)
                assert [row.number for row in rows] == list(range(1, len(rows) + 1))
                assert sum(row.type == "note" for row in rows) == self.notes[job]
            queued = [job for line in Lines(connection).by_owner().values() for job in line]
            assert {job.id for job in queued} == {
                job for job, state in self.states.items() if state == "queued"
            }


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=HISTORIES,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
)
