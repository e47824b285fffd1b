"""Finds attempts that fell silent and rings for jobs that wait. One leader among all workers.

No two clocks are ever compared: silence is a beat that stood still for so long by our own clock.
"""

import os
import signal
import socket
import threading
import time
from dataclasses import dataclass, field

import structlog

from shared.database import Database
from shared.errors import Fenced, Unavailable
from shared.jobs import attempts, liveness, queries
from shared.jobs.attempts import Lease
from shared.settings import Settings
from worker.dispatch.dispatcher import Dispatcher
from worker.locks import is_held, job_lock

log = structlog.get_logger()

ROUND_SECONDS = 2.0
LEADER_SILENT_SECONDS = 10.0
NAME = "reaper"


@dataclass(frozen=True)
class Look:
    """What something was when we last looked, and for how long we have seen it so."""

    value: object
    at: float
    still_seconds: float = 0.0


@dataclass
class Stillness:
    """How long things have not changed, as far as we watched.

    While the database is away, or this machine is suspended, nobody watches: that time does not
    count, or every healthy training would be taken for dead afterwards.
    """

    seen: dict[object, Look] = field(default_factory=dict)

    def seconds(self, what: object, value: object) -> float:
        """For how long `what` has had this value."""
        now = time.monotonic()
        before = self.seen.get(what)
        if before is None or before.value != value:
            self.seen[what] = Look(value, now)
            return 0.0
        watched = min(now - before.at, 2 * ROUND_SECONDS)
        self.seen[what] = Look(value, now, before.still_seconds + watched)
        return self.seen[what].still_seconds

    def forget_but(self, alive: set[Lease]) -> None:
        """Drop what is gone."""
        self.seen = {what: seen for what, seen in self.seen.items() if what in alive}


class Reaper:
    """A thread of the worker."""

    def __init__(self, settings: Settings, database: Database, dispatcher: Dispatcher) -> None:
        self.settings = settings
        self.database = database
        self.dispatcher = dispatcher
        self.host = socket.gethostname()
        self.holder = f"{dispatcher.worker}/{os.getpid()}"
        self._leaders = Stillness()
        self._attempts = Stillness()

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="reaper", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(ROUND_SECONDS)
            try:
                if self._leads():
                    self._reap()
            except Unavailable as error:
                log.warning("database away", error=str(error))
            except Exception:
                log.exception("reaper")

    def _leads(self) -> bool:
        with self.database.read() as connection:
            leader = liveness.leader(connection, NAME)
        seen = None
        if leader is not None and leader[0] != self.holder:
            if self._leaders.seconds(NAME, leader) < LEADER_SILENT_SECONDS:
                return False
            seen = leader[1]
        with self.database.write() as connection:
            return liveness.lead(connection, NAME, self.holder, seen=seen) is not None

    def _reap(self) -> None:
        with self.database.read() as connection:
            beats = liveness.beats(connection)
            is_waiting = bool(queries.order(connection, limit=1))
        self._attempts.forget_but({beat.lease for beat in beats})
        for beat in beats:
            silent = self._attempts.seconds(beat.lease, beat.beat)
            if silent >= self.settings.lease_seconds and self._is_gone(beat, silent):
                self._give_back(beat, silent)
        if is_waiting:
            self.dispatcher.ring()

    def _is_gone(self, beat: liveness.Beat, silent: float) -> bool:
        """On this machine the lock decides; one that is held and mute for long is ended first."""
        if beat.host != self.host:
            return True
        if not is_held(job_lock(self.settings, beat.lease.job_id)):
            return True
        if silent >= 2 * self.settings.lease_seconds and beat.pid is not None:
            log.warning("mute runner killed", job=beat.lease.job_id, pid=beat.pid)
            try:
                os.killpg(beat.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                return False
        return False

    def _give_back(self, beat: liveness.Beat, silent: float) -> None:
        try:
            with self.database.write() as connection:
                state = attempts.stop(connection, beat.lease, "worker_lost")
        except Fenced:
            return
        log.warning("reaped", job=beat.lease.job_id, silent_seconds=silent, state=state)
