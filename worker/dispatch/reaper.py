"""The reaper: gives back the jobs of attempts that fell silent and wakes the dispatcher.

All workers have a reaper; the holder of a lease in the database is the leader and acts. No clocks
of two machines are compared: an attempt is silent while its heartbeat, a counter, stays the same
by the leader's own clock. The others observe the heartbeats too: one of them is the next leader
where the host that is cut off with its attempts is the leader's.
"""

import os
import signal
import socket
import threading
import time
from contextlib import suppress

import structlog

from shared.clock import now
from shared.database import Database
from shared.errors import Fenced, RowUnreadable, Unavailable
from shared.jobs import (
    attempts,
    deletion,
    ledger,
    liveness,
    quarantine,
    queries,
    read_box,
    time_sharing,
    unreadable_rows,
    verifications,
)
from shared.jobs.attempts import Lease
from shared.jobs.estimates.refresh import Refresher
from shared.settings import Settings
from shared.storage import Storage
from worker.dispatch.dispatcher import Dispatcher
from worker.locks import is_held, job_lock
from worker.runner.observed_duration import ObservedDuration

log = structlog.get_logger()

ROUND_SECONDS = 2.0
#: A longer gap between two rounds (the database was away, the machine suspended) counts as this
#: much silence: otherwise every healthy attempt would be taken for dead afterwards.
MAX_GAP_SECONDS = 2 * ROUND_SECONDS
LEADER_TIMEOUT_SECONDS = 10.0
LEASE_NAME = "reaper"


class Reaper:
    """A thread of the worker that looks for silent attempts."""

    def __init__(self, settings: Settings, database: Database, dispatcher: Dispatcher) -> None:
        self.settings = settings
        self.database = database
        self.dispatcher = dispatcher
        self.host = socket.gethostname()
        self.holder = f"{dispatcher.worker}/{os.getpid()}"
        self.policy = read_box.policy_of(settings)
        self._refresher = Refresher(database)
        self._leader_silence = ObservedDuration(MAX_GAP_SECONDS)
        self._silences: dict[Lease, ObservedDuration] = {}

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="reaper", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(ROUND_SECONDS)
            try:
                self._act()
            except Unavailable as error:
                log.warning("database unavailable", error=str(error))
            except Exception:
                log.exception("the reaper's round failed")

    def _act(self) -> None:
        """Do what is due now: as the leader, or as another."""
        if not self._is_leader():
            self._observe()
            return
        self._reap()
        self._keep_accounts()
        self._share_time()
        self._refresher.refresh()

    def _is_leader(self) -> bool:
        """Keep the leader's lease, or take it over from a leader that fell silent."""
        with self.database.read() as connection:
            leader = liveness.get_leader(connection, LEASE_NAME)
        seen = None
        if leader is not None and leader[0] != self.holder:
            if self._leader_silence.observe(leader) < LEADER_TIMEOUT_SECONDS:
                return False
            seen = leader[1]
        with self.database.write() as connection:
            return liveness.take_lead(connection, LEASE_NAME, self.holder, seen=seen) is not None

    def _reap(self) -> None:
        with self.database.read() as connection:
            is_waiting = queries.is_any_queued(connection)
            has_quarantined = quarantine.count(connection) > 0
            interrupted = deletion.list_interrupted(connection)
            decidable = verifications.list_decidable(connection)
        for beat, seconds in self._observe():
            if seconds >= self.settings.lease_seconds and self._is_gone(beat, seconds):
                self._give_back(beat, seconds)
        if has_quarantined:
            self._release_repaired()
        if interrupted:
            storage = Storage(self.settings.storage)
            freed_bytes = deletion.delete_files(self.database, storage, interrupted)
            log.info("files of deleted jobs removed", jobs=interrupted, freed_bytes=freed_bytes)
        for patch_id in decidable:
            self._settle(patch_id)
        if is_waiting:
            self.dispatcher.notify()

    def _observe(self) -> list[tuple[liveness.ObservedHeartbeat, float]]:
        """Return the newest heartbeat of each running attempt, and how long it was the newest."""
        with self.database.read() as connection:
            beats = liveness.list_heartbeats(connection)
        self._silences = {
            beat.lease: self._silences.get(beat.lease) or ObservedDuration(MAX_GAP_SECONDS)
            for beat in beats
        }
        return [(beat, self._silences[beat.lease].observe(beat.beat)) for beat in beats]

    def _settle(self, patch_id: str) -> None:
        """Decide the check of a patch whose jobs have ended; leave a damaged row as it is."""
        try:
            with self.database.write() as connection:
                decision = verifications.settle(connection, patch_id)
        except RowUnreadable as error:
            unreadable_rows.note(error)
            return
        if decision is not None:
            log.info("patch checked", patch=patch_id, verdict=decision.verdict, gain=decision.gain)

    def _keep_accounts(self) -> None:
        """Charge ended attempts; let the ledger begin again where its numbers grow large."""
        half_life = self.settings.half_life_seconds
        at = now().timestamp()
        with self.database.read() as connection:
            current = ledger.read_ledger(connection)
            is_uncharged = ledger.is_any_uncharged(connection)
        if is_uncharged:
            with self.database.write() as connection:
                ledger.settle(connection)
        if current.half_life_seconds != half_life or current.is_due(at):
            with self.database.write() as connection:
                ledger.rebase(connection, half_life)

    def _share_time(self) -> None:
        """Request jobs whose quantum is over to give way to jobs that wait."""
        with self.database.read() as connection:
            needless = time_sharing.list_needless(connection)
            found = time_sharing.propose_yields(connection, self.policy)
        for lease in needless:
            with self.database.write() as connection:
                if time_sharing.withdraw_yield(connection, lease):
                    log.info("job need not give way any more", job=lease.job_id)
        for each in found:
            with self.database.write() as connection:
                is_requested = time_sharing.request_yield(connection, each)
            if is_requested:
                log.info("job gives way", job=each.job, to=each.to, rank=each.rank.name.lower())

    def _release_repaired(self) -> None:
        """Let the quarantined jobs start whose rows can be read again."""
        with self.database.write() as connection:
            released = quarantine.release_readable(connection)
        if released:
            log.info("repaired jobs released", jobs=released)
            self.dispatcher.notify()

    def _is_gone(self, beat: liveness.ObservedHeartbeat, silent_seconds: float) -> bool:
        """Return whether the attempt's process is gone.

        On this machine its lock decides. A process that holds the lock and stays silent for two
        leases is killed, and found gone in a later round.
        """
        if beat.host != self.host:
            return True
        if not is_held(job_lock(self.settings, beat.lease.job_id)):
            return True
        if silent_seconds >= 2 * self.settings.lease_seconds and beat.pid is not None:
            log.warning(
                "silent runner killed",
                job=beat.lease.job_id,
                attempt=beat.lease.attempt,
                pid=beat.pid,
            )
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(beat.pid, signal.SIGKILL)
        return False

    def _give_back(self, beat: liveness.ObservedHeartbeat, silent_seconds: float) -> None:
        try:
            with self.database.write() as connection:
                state = attempts.stop(connection, beat.lease, "worker_lost")
        except Fenced:
            return
        log.warning(
            "silent attempt given up",
            job=beat.lease.job_id,
            silent_seconds=silent_seconds,
            state=state,
        )
