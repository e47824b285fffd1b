"""The supervisor: starts the parts, restarts a part that dies or hangs, and stops all in order."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from box.hang_detector import HangDetector
from box.health_checks import api_url, why_not_ready
from box.key import ensure_key
from box.login_link import read_login_link
from box.orphans import stop_orphans
from box.parts import Part, StartPhase, list_parts, migrations
from box.preconditions import CannotStart, check_port, lock_home
from box.processes import end, runner_pids, terminate
from box.supervised_part import SupervisedPart, exec_part, log_file
from box.terminal import print_line
from shared.settings import Settings

TICK_SECONDS = 0.1
RUNNER_GRACE_SECONDS = 20.0
#: Then the parts that wait for a ready box start anyway, and the box reports what is missing.
START_TIMEOUT_SECONDS = 20.0
#: Of the log of a part that keeps the box from being ready.
SHOWN_LINES = 3


class Supervisor:
    """The supervisor of a box.

    Args:
        settings: the settings of the box.
        parts: returns the parts to run, in the order of their start.
        migration: the process that migrates the database.
        hang_detector: detects parts that no longer answer.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        parts: Callable[[Settings], list[Part]] = list_parts,
        migration: Part | None = None,
        hang_detector: HangDetector | None = None,
    ) -> None:
        self.settings = settings
        self._list_parts = parts
        self._migration = migration or migrations()
        self._signal_count = 0
        self._parts: list[SupervisedPart] = []
        self._hang_detector = hang_detector or HangDetector(settings)
        self._address_file = settings.home / "run" / "address"

    def run(self) -> int:
        """Run the box until SIGTERM or Ctrl-C; return the exit code.

        Raises:
            CannotStart: another box uses this home, another service uses this port, the key file
                is damaged, or the database does not answer.
        """
        began_at = time.monotonic()
        handlers = self._handle_signals()
        try:
            return self._run_in_home(began_at)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _run_in_home(self, began_at: float) -> int:
        self.settings.make_directories()
        lock = lock_home(self.settings)
        try:
            stop_orphans(self.settings)
            check_port(self.settings)
            if ensure_key(self.settings):
                print_line(f"made a key: {self.settings.key_file}")
            self._run(self._list_parts(self.settings), began_at)
        finally:
            self._stop()
            os.close(lock)
        return 0

    def _run(self, parts: list[Part], began_at: float) -> None:
        self._parts = [SupervisedPart(part, self.settings, self._hang_detector) for part in parts]
        self._begin_phase("at once")
        self._migrate()
        self._begin_phase("after migrations")
        self._hang_detector.start()
        is_ready = is_overdue = False
        while not self._signal_count:
            for supervised in self._parts:
                supervised.check()
            if not is_ready:
                reason = why_not_ready(self.settings)
                seconds = time.monotonic() - began_at
                is_ready = reason is None
                if is_ready:
                    self._report_ready(seconds)
                elif seconds > START_TIMEOUT_SECONDS and not is_overdue:
                    is_overdue = True
                    self._report_overdue(seconds, reason or "")
                if is_ready or is_overdue:
                    self._begin_phase("when ready")
            time.sleep(TICK_SECONDS)

    def _report_overdue(self, seconds: float, reason: str) -> None:
        """Name the parts that do not start and show the ends of their logs."""
        failed = [supervised for supervised in self._parts if supervised.failures]
        names = ", ".join(f"{each.part.name} has failed" for each in failed)
        logs = self.settings.home / "logs"
        print_line(f"still starting after {seconds:.0f} s: {names or reason} (logs: {logs})")
        # The API answers last: without another fault, its log says what it waits for.
        shown = failed or [each for each in self._parts if each.part.name == "api"]
        for supervised in shown:
            name = supervised.part.name
            print_line(f"the end of logs/{name}.log:")
            for line in supervised.last_lines(SHOWN_LINES):
                print_line(f"  {line}")

    def _begin_phase(self, phase: StartPhase) -> None:
        for supervised in self._parts:
            if supervised.part.start_phase == phase:
                supervised.begin()

    def _migrate(self) -> None:
        part = self._migration
        process = exec_part(part, self.settings)
        while process.poll() is None and not self._signal_count:
            time.sleep(0.02)
        if process.poll() is None:
            end(process.pid, grace_seconds=part.grace_seconds)
        if process.wait() and not self._signal_count:
            path = log_file(part, self.settings)
            last_line = path.read_text(errors="replace").strip().splitlines()[-1:]
            raise CannotStart(f"The database cannot be used: {''.join(last_line)} (log: {path})")

    def _stop(self) -> None:
        """Stop the API first, so that no request comes in, and the broker last."""
        self._hang_detector.stop()
        for supervised in reversed(self._parts):
            supervised.stop(self._is_hurried)
        self._end_runners()
        for supervised in self._parts:
            supervised.remove_pid_file()
        self._address_file.unlink(missing_ok=True)

    def _end_runners(self) -> None:
        """End runners that outlived their worker; without a signal, the next box adopts them."""
        pids = runner_pids(self.settings.home) if self._signal_count else []
        for pid in pids:
            terminate(pid)
        deadline = time.monotonic() + RUNNER_GRACE_SECONDS
        while pids and time.monotonic() < deadline and not self._is_hurried():
            time.sleep(0.05)
            pids = runner_pids(self.settings.home)
        for pid in pids:
            end(pid, grace_seconds=0)

    def _is_hurried(self) -> bool:
        """Return whether a second signal asks to stop at once."""
        return self._signal_count > 1

    def _handle_signals(self) -> dict[signal.Signals, Any]:
        """Count the signals that stop the box; return the previous handlers."""
        numbers = [signal.SIGTERM, signal.SIGINT]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            # Under nohup the box outlives its terminal.
            numbers.append(signal.SIGHUP)
        return {number: signal.signal(number, self._on_signal) for number in numbers}

    def _on_signal(self, *_: object) -> None:
        self._signal_count += 1
        if self._signal_count == 1:
            print_line("stopping: running jobs write a checkpoint (a second signal stops at once)")

    def _report_ready(self, seconds: float) -> None:
        settings, address = self.settings, api_url(self.settings)
        self._address_file.write_text(f"{address}\n")
        key = "TRAINSHED_ADMIN_KEY" if settings.admin_key else str(settings.key_file)
        print_line(f"ready after {seconds:.1f} s: {address} (API documentation: {address}/docs)")
        link = read_login_link(settings)
        if link is not None:
            print_line(f"web pages: {address}{link} (this link logs in once, within 10 minutes)")
        print_line(f"key: {key} · logs: {settings.home / 'logs'} · Ctrl-C stops the box")
