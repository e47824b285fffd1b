"""The dispatcher: claims jobs for free devices, hands them to runners and records their exits.

One thread in the worker's main process, without torch. It wakes when the doorbell rings and when
the spare is ready, and polls in any case: the database is the truth.
"""

import os
import socket
import threading
import time
from collections.abc import Sequence

import structlog

from shared.clock import now
from shared.database import Database
from shared.errors import Unavailable
from shared.jobs import attempts, claims, ledger, liveness, read_box
from shared.jobs.planning import box as planning
from shared.settings import Settings
from shared.states import FINAL
from shared.storage import Storage
from worker.assignment import Assignment, ExitCode
from worker.dispatch import devices
from worker.dispatch.adoption import adopt
from worker.dispatch.checks import Checks
from worker.dispatch.devices import Device
from worker.dispatch.quarantine import Quarantine
from worker.dispatch.runners import Runner, count_oom_kills, record_exit
from worker.dispatch.spare import READY_TIMEOUT_SECONDS, Spare
from worker.locks import device_lock, is_held, job_lock

log = structlog.get_logger()

#: Between two polls of the queue while the doorbell does not ring.
POLL_SECONDS = 2.0
#: Between two ticks while a runner or a spare may end or become ready at any moment.
TICK_SECONDS = 0.1
#: Between two checks for requests of users, and between two ticks while nothing runs.
WATCH_SECONDS = 0.5
#: Between two signs of life of this worker in the database.
SEEN_SECONDS = 2.0
#: Between two charges of what runs to its owners; the rest is charged at an attempt's end.
CHARGE_SECONDS = 60.0
#: A new spare imports torch; the job that was just handed over gets the CPU cores first.
SPARE_DELAY_SECONDS = 1.0
#: After a spare that died or was late.
SPARE_RETRY_SECONDS = 5.0
DRAIN_SECONDS = 20.0


class Dispatcher:
    """The devices of this machine and the runners on them."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.host = socket.gethostname()
        self.worker = settings.worker_id or self.host
        self.devices = devices.find(settings)
        self.threads = devices.threads(settings)
        #: By the name of the device.
        self.runners: dict[str, Runner] = {}
        self.policy = read_box.policy_of(settings)
        self.quarantine = Quarantine()
        self.checks = Checks(settings, database)
        self.spare: Spare | None = None
        self._wake = threading.Event()
        self._draining = threading.Event()
        #: When each is due again, by the monotonic clock.
        self._poll_at = self._watch_at = self._seen_at = self._spare_at = 0.0
        self._charge_at = time.monotonic() + CHARGE_SECONDS
        self._has_adopted = False
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Start the thread; it first adopts runners that outlived an earlier worker."""
        self._wake.set()
        self._thread.start()

    def notify(self) -> None:
        """Look for a job now: there may be one."""
        self._poll_at = 0.0
        self.checks.notify()
        self._wake.set()

    def stop_claiming(self) -> None:
        """Claim no more jobs, and have every runner write a checkpoint and end."""
        self._draining.set()
        self._wake.set()

    @property
    def is_draining(self) -> bool:
        """Whether it claims no more jobs."""
        return self._draining.is_set()

    def drain(self) -> None:
        """Stop claiming, and wait until every runner has ended."""
        self.stop_claiming()
        self._thread.join(DRAIN_SECONDS + 10)

    def _run(self) -> None:
        while not (self._draining.is_set() and not self.runners):
            is_busy = self.runners or (self.spare is not None and not self.spare.is_ready)
            self._wake.wait(TICK_SECONDS if is_busy else WATCH_SECONDS)
            self._wake.clear()
            try:
                self._tick()
            except Unavailable as error:
                log.warning("database unavailable", error=str(error))
                time.sleep(0.5)
            except Exception:
                log.exception("the dispatcher's tick failed")
                time.sleep(0.5)
        self.checks.stop()
        if self.spare is not None:
            self.spare.dismiss()

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
        self._record_exits()
        if self._draining.is_set():
            for runner in self.runners.values():
                runner.request_stop(timeout_seconds=DRAIN_SECONDS, terminate=True)
            return
        if time.monotonic() >= self._watch_at:
            self._watch_at = time.monotonic() + WATCH_SECONDS
            self._show_life()
            self._stop_requested_runners()
        if time.monotonic() >= self._charge_at:
            self._charge_at = time.monotonic() + CHARGE_SECONDS
            self._charge()
        self.checks.tick()
        self._ensure_spare()
        self._claim()

    def _claim(self) -> None:
        """Claim a job for a free device, if there is one, and hand it to the spare."""
        spare = self.spare
        if spare is None or not spare.is_ready or time.monotonic() < self._poll_at:
            return
        free = [device for device in spare.devices if self._is_free(device)]
        if not free:
            return
        self._poll_at = time.monotonic() + POLL_SECONDS
        claimed = claims.claim_next(
            self.database,
            worker=self.worker,
            host=self.host,
            devices=[self._as_planned(device, free) for device in self.devices],
            policy=self.policy,
        )
        if claimed is not None:
            device = next(device for device in free if device.name == claimed.device)
            self._hand_over(spare, claimed, device)
            self._poll_at = 0.0
        elif free[0].is_gpu and self.settings.warm_gpu:
            spare.warm_up(free[0])  # the GPU is idle, so nobody else needs this memory

    def _as_planned(self, device: Device, free: Sequence[Device]) -> planning.Device:
        """Return a device as the plan reads it."""
        closed = None if device in free else self._state(device) or "busy"
        return read_box.as_device(self.worker, self.host, {**device.as_json(), "state": closed})

    def _state(self, device: Device) -> str | None:
        """Return why a device gets no job although it runs none."""
        return "quarantined" if self.quarantine.contains(device) else None

    def _is_free(self, device: Device) -> bool:
        """Return whether no runner uses the device, be it ours or unknown to us, as when fenced."""
        return device.name not in self.runners and not is_held(
            device_lock(self.settings, device.name, device.uuid)
        )

    def _hand_over(self, spare: Spare, claimed: attempts.ClaimedJob, device: Device) -> None:
        """Assign the job to the spare, which becomes its runner; give it back if the spare died."""
        self.spare, self._spare_at = None, time.monotonic() + SPARE_DELAY_SECONDS
        assignment = Assignment(
            job_id=claimed.lease.job_id,
            attempt=claimed.lease.attempt,
            spec=claimed.spec,
            resume_from=claimed.resume_from,
            epoch_limit=claimed.epoch_limit,
            device=device.name,
            uuid=device.uuid,
            threads=self.threads,
            index=spare.devices.index(device),
        )
        try:
            process = spare.assign(assignment)
        except OSError:
            spare.dismiss()
            with self.database.write() as connection:
                attempts.stop(connection, claimed.lease, "worker_lost")
            return
        self.runners[device.name] = Runner(
            claimed.lease, device, process.pid, process, kills_before=count_oom_kills()
        )
        log.info("job handed over", job=claimed.lease.job_id, pid=process.pid, device=device.name)

    def _show_life(self) -> None:
        """Record that this worker is alive, with its devices."""
        if time.monotonic() < self._seen_at:
            return
        with self.database.write() as connection:
            liveness.record_worker(
                connection,
                worker=self.worker,
                host=self.host,
                pid=os.getpid(),
                devices=[
                    {**device.as_json(), "state": self._state(device)} for device in self.devices
                ],
            )
        self._seen_at = time.monotonic() + SEEN_SECONDS

    def _charge(self) -> None:
        """Charge the running attempts to their owners, each in a short transaction."""
        for runner in self.runners.values():
            with self.database.write() as connection:
                lease = runner.lease
                ledger.charge(connection, lease.job_id, lease.attempt, now())

    def _stop_requested_runners(self) -> None:
        """Kill, after a grace period, runners that ignore a request or have lost their job."""
        if not self.runners:
            return
        with self.database.read() as connection:
            beats = {
                beat.lease: beat for beat in liveness.list_heartbeats(connection, host=self.host)
            }
        for runner in self.runners.values():
            beat = beats.get(runner.lease)
            if beat is None or beat.requests.is_cancel_requested:
                runner.request_stop()
            elif beat.requests.is_pause_requested:
                # As for a drain: what is not in a checkpoint by then is trained again.
                runner.request_stop(timeout_seconds=DRAIN_SECONDS)
            else:
                runner.withdraw_stop()

    def _record_exits(self) -> None:
        for name, runner in list(self.runners.items()):
            code = runner.exit_code(self.settings)
            if code is None:
                continue
            state = record_exit(runner, code, self.database)
            log.info("runner exited", job=runner.lease.job_id, code=code, state=state)
            if code == ExitCode.DEVICE_FAULT:
                self.quarantine.add(runner.device)
            elif state == "succeeded":
                self.quarantine.release(runner.device)
            if state in FINAL:
                # Nobody takes the lock any more: a final state is never left.
                job_lock(self.settings, runner.lease.job_id).path.unlink(missing_ok=True)
                Storage(self.settings.storage).delete_partial_results(runner.lease.job_id)
            del self.runners[name]
            self._poll_at = self._spare_at = 0.0

    def _ensure_spare(self) -> None:
        """Start a spare if it is due; replace a spare that died, is late or has other devices."""
        usable = [device for device in self.devices if not self.quarantine.contains(device)]
        if self.spare is not None and self.spare.is_dead:
            log.error("spare died", code=self.spare.process.returncode)
            self._drop_spare(self.spare, retry_seconds=SPARE_RETRY_SECONDS)
        elif self.spare is not None and self.spare.is_late:
            log.error("spare killed, not ready in time", timeout_seconds=READY_TIMEOUT_SECONDS)
            self._drop_spare(self.spare, retry_seconds=SPARE_RETRY_SECONDS)
        elif self.spare is not None and self.spare.devices != tuple(usable):
            self._drop_spare(self.spare, retry_seconds=0.0)
        is_due = self.spare is None and time.monotonic() >= self._spare_at
        if is_due and self._has_cores_for_spare(usable):
            self.spare = Spare(self.settings, self.threads, self._wake, usable)

    def _drop_spare(self, spare: Spare, *, retry_seconds: float) -> None:
        spare.dismiss()
        self.spare, self._spare_at = None, time.monotonic() + retry_seconds

    def _has_cores_for_spare(self, usable: list[Device]) -> bool:
        """Return whether a spare can import torch without slowing down a job.

        Where jobs compute on the CPU, a spare waits until a slot is free: nobody could use it
        earlier, and importing torch during a job takes both more time than one after the other.
        """
        return any(device.is_gpu or self._is_free(device) for device in usable)
