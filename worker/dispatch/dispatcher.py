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
from shared.errors import Unavailable
from shared.jobs import attempts, liveness
from shared.settings import Settings
from shared.states import FINAL
from worker.assignment import DEVICE_FAULT, Assignment
from worker.dispatch import devices
from worker.dispatch.adoption import adopt
from worker.dispatch.devices import Device
from worker.dispatch.quarantine import Quarantine
from worker.dispatch.runners import Runner, oom_kills, settle
from worker.dispatch.spare import READY_SECONDS, Spare
from worker.locks import device_lock, is_held, job_lock

log = structlog.get_logger()

POLL_SECONDS = 2.0
TICK_SECONDS = 0.1
WATCH_SECONDS = 0.5
SEEN_SECONDS = 2.0
#: A new spare imports torch: it lets the job that was just given to a GPU have the cores first.
SPARE_DELAY_SECONDS = 1.0
#: After one that died or hung.
SPARE_PAUSE_SECONDS = 5.0
DRAIN_SECONDS = 20.0


class Dispatcher:
    """The devices of this machine and what runs on them."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.host = socket.gethostname()
        self.worker = settings.worker_id or self.host
        self.devices = devices.find(settings)
        self.threads = devices.threads(settings)
        self.runners: dict[str, Runner] = {}
        self.quarantine = Quarantine()
        self.spare: Spare | None = None
        self.bell = threading.Event()
        self._draining = threading.Event()
        self._spare_at = 0.0
        self._poll_at = 0.0
        self._watch_at = 0.0
        self._seen_at = 0.0
        self._has_adopted = False
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Begin; runners that outlived an earlier worker are adopted first."""
        self.bell.set()
        self._thread.start()

    def ring(self) -> None:
        """There may be work."""
        self._poll_at = 0.0
        self.bell.set()

    def stop_claiming(self) -> None:
        """Take no more jobs, and have every runner write its checkpoint and end."""
        self._draining.set()
        self.bell.set()

    @property
    def is_draining(self) -> bool:
        """Whether it was told to end."""
        return self._draining.is_set()

    def drain(self) -> None:
        """The same, and wait until they have ended."""
        self.stop_claiming()
        self._thread.join(DRAIN_SECONDS + 10)

    def _run(self) -> None:
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
        if not self._has_adopted:
            self.runners |= adopt(
                self.settings,
                self.database,
                worker=self.worker,
                host=self.host,
                devices=self.devices,
            )
            self._has_adopted = True
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

    def _settle_ended(self) -> None:
        for name, runner in list(self.runners.items()):
            code = runner.exit_code(self.settings)
            if code is None:
                continue
            state = settle(runner, code, self.database)
            log.info("runner ended", job=runner.lease.job_id, code=code, state=state)
            if code == DEVICE_FAULT:
                self.quarantine.fault(runner.device)
            elif state == "succeeded":
                self.quarantine.clear(runner.device)
            if state in FINAL:
                # Nobody takes it any more: a final state is never left.
                job_lock(self.settings, runner.lease.job_id).path.unlink(missing_ok=True)
            del self.runners[name]
            self._poll_at = self._spare_at = 0.0

    def _watch(self) -> None:
        """Show that this worker lives; a runner that ignores a cancel is killed in time."""
        if time.monotonic() >= self._seen_at:
            with self.database.write() as connection:
                liveness.see_worker(
                    connection,
                    worker=self.worker,
                    host=self.host,
                    pid=os.getpid(),
                    devices=[device.as_json() for device in self.devices],
                )
            self._seen_at = time.monotonic() + SEEN_SECONDS
        if self.runners:
            with self.database.read() as connection:
                beats = {b.lease: b for b in liveness.beats(connection, host=self.host)}
            for runner in self.runners.values():
                beat = beats.get(runner.lease)
                if beat is None or beat.cancel_requested:
                    runner.ask_to_end()

    def _keep_a_spare(self) -> None:
        usable = [one for one in self.devices if not self.quarantine.holds(one)]
        if self.spare is not None and self.spare.is_dead:
            log.error("a spare died", code=self.spare.process.returncode)
            self._drop_the_spare(self.spare, pause_seconds=SPARE_PAUSE_SECONDS)
        elif self.spare is not None and self.spare.is_late:
            log.error("a spare hung and was ended", not_ready_within_seconds=READY_SECONDS)
            self._drop_the_spare(self.spare, pause_seconds=SPARE_PAUSE_SECONDS)
        elif self.spare is not None and self.spare.devices != tuple(usable):
            self._drop_the_spare(self.spare, pause_seconds=0.0)  # it sees other GPUs than these
        is_due = self.spare is None and time.monotonic() >= self._spare_at
        if is_due and self._has_cores_over(usable):
            self.spare = Spare(self.settings, self.threads, self.bell, usable)

    def _drop_the_spare(self, spare: Spare, *, pause_seconds: float) -> None:
        spare.dismiss()
        self.spare, self._spare_at = None, time.monotonic() + pause_seconds

    def _has_cores_over(self, usable: list[Device]) -> bool:
        """Whether a spare's import of torch takes nothing from a training.

        Where trainings compute on the CPU, the spare waits until one of its slots is free: nobody
        could use it before, and beside a training the import costs both more than one after the
        other.
        """
        return any(device.is_gpu or self._is_free(device) for device in usable)

    def _dispatch(self) -> None:
        spare = self.spare
        if spare is None or not spare.is_ready or time.monotonic() < self._poll_at:
            return
        device = next((one for one in spare.devices if self._is_free(one)), None)
        if device is None:
            return
        self._poll_at = time.monotonic() + POLL_SECONDS
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
            self._hand_over(spare, claimed, device)
            self._poll_at = 0.0

    def _is_free(self, device: Device) -> bool:
        """Not ours, and not held by a training that we do not know, such as a fenced one."""
        return device.name not in self.runners and not is_held(
            device_lock(self.settings, device.name, device.uuid)
        )

    def _hand_over(self, spare: Spare, claimed: attempts.Claimed, device: Device) -> None:
        self.spare, self._spare_at = None, time.monotonic() + SPARE_DELAY_SECONDS
        assignment = Assignment(
            job_id=claimed.lease.job_id,
            attempt=claimed.lease.attempt,
            spec=claimed.spec,
            resume_from=claimed.resume_from,
            device=device.name,
            uuid=device.uuid,
            threads=self.threads,
            index=spare.devices.index(device),
        )
        try:
            process = spare.give(assignment)
        except OSError:
            spare.dismiss()
            with self.database.write() as connection:
                attempts.stop(connection, claimed.lease, "worker_lost")
            return
        self.runners[device.name] = Runner(
            claimed.lease, device, process.pid, process, kills_before=oom_kills()
        )
        log.info("handed over", job=claimed.lease.job_id, pid=process.pid, device=device.name)
