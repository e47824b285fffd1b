"""The dispatcher: claims jobs for free devices, hands them to runners and records their exits.

One thread in the worker's main process, without torch. It wakes when the doorbell rings and when
the spare is ready, and polls in any case: the database is the truth.
"""

import os
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

import structlog

from shared.clock import now
from shared.database import Database
from shared.errors import Unavailable
from shared.jobs import attempts, claims, device_shares, ledger, liveness, read_box
from shared.jobs.attempts import Lease
from shared.settings import Settings
from worker.assignment import ExitCode
from worker.dispatch import devices
from worker.dispatch.adoption import adopt
from worker.dispatch.checks import Checks
from worker.dispatch.code_version import code_version
from worker.dispatch.device import Device
from worker.dispatch.handover import assignment_of
from worker.dispatch.inventory import open_inventory
from worker.dispatch.leftovers import delete_leftovers
from worker.dispatch.next_spare import NextSpare
from worker.dispatch.occupancy import Occupancy
from worker.dispatch.quarantine import Quarantine
from worker.dispatch.runners import Runner, count_oom_kills, record_exit
from worker.dispatch.spare import Spare
from worker.dispatch.stops import stop_on_lost_devices, stop_slow_neighbours

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
        #: By the id of the job.
        self.runners: dict[str, Runner] = {}
        self.policy = read_box.policy_of(settings)
        self.quarantine = Quarantine()
        self.occupancy = Occupancy(
            settings,
            self.devices,
            open_inventory(settings),
            self.quarantine,
            self.policy.jobs_per_device,
        )
        self.checks = Checks(settings, database)
        self._wake = threading.Event()
        self.next_spare = NextSpare(settings, self.threads, self._wake, self._has_room)
        self._draining = threading.Event()
        #: When each is due again, by the monotonic clock.
        self._poll_at = self._watch_at = self._seen_at = 0.0
        self._charge_at = time.monotonic() + CHARGE_SECONDS
        self._has_adopted = False
        #: Whether a job has started or ended since the shares of devices were stored.
        self._has_changed = True
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
            is_busy = self.runners or self.next_spare.is_starting
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
        self.next_spare.dismiss()

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
        if self._has_changed:
            self._has_changed = False
            device_shares.divide(self.database, self.worker)
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
        self.next_spare.ensure(self.occupancy.usable())
        self._claim()

    def _claim(self) -> None:
        """Claim a job for a free device, if there is one, and hand it to the spare."""
        spare = self.next_spare.ready
        if spare is None or time.monotonic() < self._poll_at:
            return
        free = [device for device in spare.devices if self._has_room(device)]
        if not free:
            return
        self._poll_at = time.monotonic() + POLL_SECONDS
        self.occupancy.read()
        claimed = claims.claim_next(
            self.database,
            worker=self.worker,
            host=self.host,
            devices=self.occupancy.as_planned(self.worker, self.host, free),
            policy=self.policy,
        )
        if claimed is not None:
            names = (claimed.device, *claimed.further_devices)
            by_name = {device.name: device for device in free}
            self._hand_over(spare, claimed, [by_name[name] for name in names])
            self._poll_at = 0.0
            return
        idle = next((device for device in free if not self._is_used(device)), None)
        if idle is not None and idle.is_gpu and self.settings.warm_gpu:
            spare.warm_up(idle)  # nobody else needs this memory

    def _has_room(self, device: Device) -> bool:
        return self.occupancy.has_room(device, self.runners.values())

    def _is_used(self, device: Device) -> bool:
        return any(device in runner.devices for runner in self.runners.values())

    def _hand_over(
        self, spare: Spare, claimed: attempts.ClaimedJob, devices: Sequence[Device]
    ) -> None:
        """Assign the job to the spare, which becomes its runner; give it back if the spare died."""
        self.next_spare.hand_out()
        assignment = assignment_of(
            claimed,
            devices,
            visible=spare.devices,
            threads=self.threads,
            memory_mib=self.occupancy.limit_mib(devices, claimed),
            is_shared=self.occupancy.is_shared(devices, claimed.memory_mib),
        )
        try:
            process = spare.assign(assignment)
        except OSError:
            spare.dismiss()
            with self.database.write() as connection:
                attempts.stop(connection, claimed.lease, "worker_lost")
            return
        device, *further = devices
        kills = count_oom_kills()
        runner = Runner(claimed.lease, device, process.pid, process, tuple(further), kills)
        self.runners[claimed.lease.job_id] = runner
        self._has_changed = True
        log.info("job handed over", **_names(claimed.lease), pid=process.pid, device=device.name)

    def _show_life(self) -> None:
        """Record that this worker is alive, with its devices."""
        if time.monotonic() < self._seen_at:
            return
        self.occupancy.read()
        pids = self.next_spare.pids | {runner.pid for runner in self.runners.values()}
        with self.database.write() as connection:
            liveness.record_worker(
                connection,
                worker=self.worker,
                host=self.host,
                pid=os.getpid(),
                devices=self.occupancy.report(pids),
                version=code_version(),
            )
        stop_on_lost_devices(self.occupancy, self.runners.values())
        stop_slow_neighbours(self.database, self.worker, self.occupancy, self.runners)
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
            elif runner.is_separated:
                runner.request_stop(timeout_seconds=DRAIN_SECONDS, terminate=True)
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
            if runner.has_lost_device:
                code = int(ExitCode.DEVICE_FAULT)
            state = record_exit(runner, code, self.database)
            log.info("runner exited", **_names(runner.lease), code=code, state=state)
            if code == ExitCode.DEVICE_FAULT:
                for device in runner.devices:  # whichever of them failed
                    self.quarantine.add(device)
            elif state == "succeeded":
                for device in runner.devices:
                    self.quarantine.release(device)
            delete_leftovers(self.settings, self.database, runner.lease, state)
            del self.runners[name]
            self._has_changed = True
            self._poll_at = 0.0
            self.next_spare.start_soon()


def _names(lease: Lease) -> dict[str, Any]:
    """Return what a line of the log names of an attempt."""
    return {"job": lease.job_id, "attempt": lease.attempt}
