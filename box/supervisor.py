"""Starts the parts, starts again what dies or hangs, and stops everything in order."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from box.hang_detector import Pulse
from box.health_checks import url, what_is_missing
from box.key import ensure_key
from box.orphans import clear_leftovers
from box.parts import ROOT, Part, migrations, parts
from box.preconditions import Refusal, check_port, take_home
from box.processes import ask_to_end, end, remember, runners
from box.terminal import say
from shared.settings import Settings

TICK_SECONDS = 0.1
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 10.0
#: A part that ran for so long had started well.
SETTLED_SECONDS = 30.0
LARGEST_LOG = 50 * 2**20
RUNNER_GRACE_SECONDS = 20.0
#: What waits until the box is ready starts after so long in any case, and why it waits is said.
LONGEST_START_SECONDS = 20.0


@dataclass
class Running:
    """A part on its way."""

    part: Part
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    backoff: float = FIRST_BACKOFF_SECONDS
    start_at: float = 0.0
    restarts: int = 0


class Supervisor:
    """One box: its home, its parts."""

    def __init__(
        self,
        settings: Settings,
        *,
        list_parts: Callable[[Settings], list[Part]] = parts,
        migration: Part | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        self.settings = settings
        self._list_parts = list_parts
        self._migration = migration or migrations()
        self._signals = 0
        self._running: list[Running] = []
        self._pulse = pulse or Pulse(settings)
        self._address = settings.home / "run" / "address"

    def run(self) -> int:
        """Run the box until SIGTERM or Ctrl-C; return the exit code.

        Raises:
            Refusal: another box has this home, or another service this port.
        """
        began = time.monotonic()
        handlers = self._listen_to_signals()
        try:
            return self._run_in_home(began)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _run_in_home(self, began: float) -> int:
        self.settings.make_directories()
        lock = take_home(self.settings)
        try:
            clear_leftovers(self.settings)
            check_port(self.settings)
            if ensure_key(self.settings):
                say(f"made a key: {self.settings.key_file}")
            self._run(self._list_parts(self.settings), began)
        finally:
            self._stop()
            os.close(lock)
        return 0

    def _run(self, everything: list[Part], began: float) -> None:
        # All are known from here on, in their order; what has no start yet starts when it may.
        self._running = [Running(part, start_at=float("inf")) for part in everything]
        self._may_start("at once")
        self._migrate()
        self._may_start("with tables")
        self._pulse.start()
        has_been_ready = has_complained = False
        while not self._signals:
            for running in self._running:
                self._watch(running)
            if not has_been_ready:
                missing = what_is_missing(self.settings)
                waited = time.monotonic() - began
                has_been_ready = missing is None
                if has_been_ready:
                    self._welcome(waited)
                elif waited > LONGEST_START_SECONDS and not has_complained:
                    has_complained = True
                    logs = self.settings.home / "logs"
                    say(f"still starting after {waited:.0f} s: {missing} Logs: {logs}")
                if has_been_ready or has_complained:
                    self._may_start("when ready")
            time.sleep(TICK_SECONDS)

    def _may_start(self, when: str) -> None:
        for running in self._running:
            if running.part.when == when and running.start_at == float("inf"):
                running.start_at = 0.0
                self._watch(running)

    def _migrate(self) -> None:
        part = self._migration
        process = self._exec(part)
        while process.poll() is None and not self._signals:
            time.sleep(0.02)
        if process.poll() is None:
            end(process.pid, grace_seconds=part.grace_seconds)
        if process.wait() and not self._signals:
            path = self._log_file(part)
            last = path.read_text(errors="replace").strip().splitlines()[-1:]
            raise Refusal(f"the database cannot be used: {''.join(last)} (more in {path})")

    def _exec(self, part: Part) -> subprocess.Popen[bytes]:
        with self._log(part) as log:
            return subprocess.Popen(
                part.command,
                cwd=ROOT,
                env=part.environment(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in a terminal is for the supervisor, which ends the parts in order.
                start_new_session=True,
            )

    def _start(self, running: Running) -> None:
        running.started = time.monotonic()
        try:
            running.process = self._exec(running.part)
            self._pulse.forget(running.part.name)
            remember(self._pid_file(running.part), running.process.pid)
        except OSError as error:
            # A full disk or no more processes: it may pass, and the other parts go on.
            say(f"{running.part.name}: {error.strerror}")
            if running.process is None:
                self._later(running)

    def _watch(self, running: Running) -> None:
        """See that a part runs; an ended one starts again after a pause."""
        process, name = running.process, running.part.name
        if process is not None and process.poll() is None and self._pulse.is_hung(name):
            say(f"{name} lives but has not answered for a minute; ending it")
            process.kill()
            process.wait()
        if process is not None and process.poll() is not None:
            if time.monotonic() - running.started > SETTLED_SECONDS:
                running.backoff = FIRST_BACKOFF_SECONDS
            wait, code = running.backoff, process.returncode
            say(f"{name} ended with {code}; starting it again in {wait:g} s (see logs/{name}.log)")
            running.process = None
            self._later(running)
        if running.process is None and time.monotonic() >= running.start_at:
            self._start(running)

    @staticmethod
    def _later(running: Running) -> None:
        running.start_at = time.monotonic() + running.backoff
        running.backoff = min(2 * running.backoff, LONGEST_BACKOFF_SECONDS)
        running.restarts += 1

    def _stop(self) -> None:
        """API first, so that nothing new comes in; the broker last."""
        self._pulse.stop()
        for running in reversed(self._running):
            process = running.process
            if process is None or process.poll() is not None:
                continue
            process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + running.part.grace_seconds
            while process.poll() is None and time.monotonic() < deadline and self._signals < 2:
                time.sleep(0.02)
            if process.poll() is None:
                process.kill()
                process.wait()
        self._end_runners()
        for running in self._running:
            self._pid_file(running.part).unlink(missing_ok=True)
        self._address.unlink(missing_ok=True)

    def _end_runners(self) -> None:
        """Trainings that their worker did not see to their end; a box that broke leaves them."""
        found = runners(self.settings.home) if self._signals else []
        for pid in found:
            ask_to_end(pid)
        deadline = time.monotonic() + RUNNER_GRACE_SECONDS
        while found and time.monotonic() < deadline and self._signals < 2:
            time.sleep(0.05)
            found = runners(self.settings.home)
        for pid in found:
            end(pid, grace_seconds=0)

    def _listen_to_signals(self) -> dict[signal.Signals, Any]:
        numbers = [signal.SIGTERM, signal.SIGINT]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            # Under nohup the end of the terminal is not the end of the box.
            numbers.append(signal.SIGHUP)
        return {number: signal.signal(number, self._stop_asked) for number in numbers}

    def _stop_asked(self, *_: object) -> None:
        self._signals += 1
        if self._signals == 1:
            say("stopping: trainings write a checkpoint first (again: at once)")

    def _welcome(self, seconds: float) -> None:
        settings, address = self.settings, url(self.settings)
        self._address.write_text(f"{address}\n")
        key = "TRAINSHED_ADMIN_KEY" if settings.admin_key else str(settings.key_file)
        say(f"ready after {seconds:.1f} s: {address} (the API is described at {address}/docs)")
        say(f"key: {key} · logs: {settings.home / 'logs'} · Ctrl-C stops it")

    def _pid_file(self, part: Part) -> Path:
        return self.settings.home / "run" / f"{part.name}.pid"

    def _log_file(self, part: Part) -> Path:
        return self.settings.home / "logs" / f"{part.name}.log"

    def _log(self, part: Part) -> BinaryIO:
        path = self._log_file(part)
        if path.exists() and path.stat().st_size > LARGEST_LOG:
            path.replace(path.with_suffix(".log.1"))
        return path.open("ab")
