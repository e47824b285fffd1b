"""Claims jobs for the devices that are free, hands them to runners, and watches those.

One thread in the worker's main process, without torch. It wakes at the doorbell, when a runner
or a spare changes, and every two seconds in any case: the database is the truth.
"""

import os
import socket
import threading
import time

import structlog

from shared.database import Database
from shared.errors import Fenced, Unavailable
from shared.jobs import attempts, reaping
from shared.settings import Settings
from shared.storage import Storage
from worker import devices
from worker.assignment import Assignment
from worker.devices import Device
from worker.locks import is_held, job_lock
from worker.runners import Runner, oom_kills, settle
from worker.spare import Spare

log = structlog.get_logger()

POLL_SECONDS = 2.0
TICK_SECONDS = 0.1
WATCH_SECONDS = 0.5
#: A new spare imports torch: it lets the job that was just given have the cores first.
SPARE_DELAY_SECONDS = 1.0
DRAIN_SECONDS = 20.0


class Dispatcher:
    """The devices of this machine and what runs on them."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.storage = Storage(settings.storage)
        self.host = socket.gethostname()
        self.worker = settings.worker_id or self.host
        self.devices = devices.find(settings)
        self.threads = devices.threads(settings)
        self.runners: dict[str, Runner] = {}
        self.spare: Spare | None = None
        self.bell = threading.Event()
        self._draining = threading.Event()
        self._spare_at = 0.0
        self._poll_at = 0.0
        self._watch_at = 0.0
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Begin; runners that outlived an earlier worker are adopted first."""
        self._thread.start()

    def ring(self) -> None:
        """There may be work."""
        self._poll_at = 0.0
        self.bell.set()

    def stop_claiming(self) -> None:
        """Take no more jobs, and have every runner write its checkpoint and end."""
        self._draining.set()
        self.bell.set()

    def drain(self) -> None:
        """The same, and wait until they have ended."""
        self.stop_claiming()
        self._thread.join(DRAIN_SECONDS + 10)

    def _run(self) -> None:
        while not self._adopted():
            time.sleep(1)
        while not (self._draining.is_set() and not self.runners):
            self.bell.wait(TICK_SECONDS if self.runners or self._is_warming() else WATCH_SECONDS)
            self.bell.clear()
            try:
                self._tick()
            except Unavailable as error:
                log.warning("database away", error=str(error))
                time.sleep(0.5)
            except Exception:
                log.exception("dispatcher")
                time.sleep(0.5)
        if self.spare is not None:
            self.spare.dismiss()

    def _is_warming(self) -> bool:
        return self.spare is not None and not self.spare.is_ready

    def _tick(self) -> None:
        self._settle_ended()
        if self._draining.is_set():
            for runner in self.runners.values():
                runner.ask_to_end(patience=DRAIN_SECONDS, term=True)
            return
        if time.monotonic() >= self._watch_at:
            self._watch_at = time.monotonic() + WATCH_SECONDS
            self._watch()
        self._keep_a_spare()
        self._dispatch()

    def _adopted(self) -> bool:
        """Take over the runners of a worker that is gone; False if the database is away."""
        try:
            with self.database.read() as connection:
                beats = reaping.beats(connection, host=self.host)
        except Unavailable:
            return False
        for beat in beats:
            device = next((d for d in self.devices if d.name in beat.devices), None)
            if device is None or beat.pid is None:
                continue
            if is_held(job_lock(self.settings, beat.lease.job_id)):
                self.runners[device.name] = Runner(
                    beat.lease, device, beat.pid, None, kills_before=oom_kills()
                )
                log.info("adopted", job=beat.lease.job_id, pid=beat.pid)
        self._give_back([b for b in beats if not self._is_ours(b)])
        return True

    def _is_ours(self, beat: reaping.Beat) -> bool:
        return any(runner.lease == beat.lease for runner in self.runners.values())

    def _give_back(self, beats: list[reaping.Beat]) -> None:
        """Attempts of this host whose process is gone wait again."""
        for beat in beats:
            try:
                with self.database.write() as connection:
                    attempts.stop(connection, beat.lease, "worker_lost")
            except Fenced:
                continue

    def _settle_ended(self) -> None:
        for name, runner in list(self.runners.items()):
            code = runner.exit_code(self.settings)
            if code is None:
                continue
            state = settle(runner, code, self.database, self.storage)
            log.info("runner ended", job=runner.lease.job_id, code=code, state=state)
            del self.runners[name]
            self._poll_at = 0.0

    def _watch(self) -> None:
        """Show that this worker lives; a runner that ignores a cancel is killed in time."""
        with self.database.write() as connection:
            reaping.see_worker(
                connection,
                worker=self.worker,
                host=self.host,
                pid=os.getpid(),
                devices=[device.as_json() for device in self.devices],
            )
        if self.runners:
            with self.database.read() as connection:
                beats = {b.lease: b for b in reaping.beats(connection, host=self.host)}
            for runner in self.runners.values():
                beat = beats.get(runner.lease)
                if beat is None or beat.cancel_requested:
                    runner.ask_to_end()

    def _keep_a_spare(self) -> None:
        if self.spare is not None and self.spare.is_dead:
            log.error("a spare died", code=self.spare.process.returncode)
            self.spare, self._spare_at = None, time.monotonic() + 5
        if self.spare is None and time.monotonic() >= self._spare_at:
            self.spare = Spare(self.settings, self.threads, self.bell)

    def _dispatch(self) -> None:
        free = [device for device in self.devices if device.name not in self.runners]
        if not free or self.spare is None or not self.spare.is_ready:
            return
        if time.monotonic() < self._poll_at:
            return
        self._poll_at = time.monotonic() + POLL_SECONDS
        device = free[0]
        with self.database.write() as connection:
            claimed = attempts.claim(
                connection,
                worker=self.worker,
                host=self.host,
                device=device.name,
                devices=[device.name],
                gpus=1,
            )
        if claimed is not None:
            self._hand_over(claimed, device)
            self._poll_at = 0.0

    def _hand_over(self, claimed: attempts.Claimed, device: Device) -> None:
        spare, self.spare = self.spare, None
        self._spare_at = time.monotonic() + SPARE_DELAY_SECONDS
        assignment = Assignment(
            job_id=claimed.lease.job_id,
            attempt=claimed.lease.attempt,
            spec=claimed.spec,
            resume_from=claimed.resume_from,
            device=device.name,
            uuid=device.uuid,
            threads=self.threads,
        )
        try:
            process = spare.give(assignment) if spare is not None else None
        except OSError:
            process = None
        if process is None:
            with self.database.write() as connection:
                attempts.stop(connection, claimed.lease, "worker_lost")
            return
        self.runners[device.name] = Runner(
            claimed.lease, device, process.pid, process, kills_before=oom_kills()
        )
        log.info("handed over", job=claimed.lease.job_id, pid=process.pid, device=device.name)
