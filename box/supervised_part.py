"""A part under supervision: its process, its log and pid file, and its restarts."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from box.hang_detector import HangDetector
from box.parts import ROOT, Part
from box.processes import write_pid_file
from box.terminal import print_line
from shared.settings import Settings

MIN_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 10.0
#: A part that ran for this long has started well: its backoff is reset.
SETTLED_SECONDS = 30.0
MAX_LOG_BYTES = 50 * 2**20
#: Of the end of a log that is searched for its last lines.
MAX_TAIL_BYTES = 4_000
#: The start of a part whose phase has not begun.
NOT_YET = float("inf")


class SupervisedPart:
    """A part that is restarted when it dies or hangs. Times are of the monotonic clock."""

    def __init__(self, part: Part, settings: Settings, hang_detector: HangDetector) -> None:
        self.part = part
        self._settings = settings
        self._hang_detector = hang_detector
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._backoff_seconds = MIN_BACKOFF_SECONDS
        #: How often in a row the process has ended soon after its start.
        self.failures = 0
        self._start_at = NOT_YET
        #: The size of the log before this box: what follows is of its processes.
        self._log_begins_at = 0
        self._pid_file = settings.home / "run" / f"{part.name}.pid"

    def begin(self) -> None:
        """Start the part; from now on `check` restarts it."""
        if self._start_at == NOT_YET:
            self._start_at = 0.0
            with suppress(OSError):  # no log yet
                self._log_begins_at = log_file(self.part, self._settings).stat().st_size
            self.check()

    def check(self) -> None:
        """End a process that hangs, and restart a process that has ended after a backoff."""
        process, name = self._process, self.part.name
        if process is not None and process.poll() is None and self._hang_detector.is_hung(name):
            print_line(f"{name} has not answered for a minute; killing it")
            process.kill()
            process.wait()
        if process is not None and process.poll() is not None:
            if time.monotonic() - self._started_at > SETTLED_SECONDS:
                self._backoff_seconds = MIN_BACKOFF_SECONDS
                self.failures = 0
            self.failures += 1
            print_line(
                f"{name} ended with {process.returncode}; restarting it in "
                f"{self._backoff_seconds:g} s (log: logs/{name}.log)"
            )
            if process.returncode == 1:  # it said what is wrong, such as a setting
                print_line(f"{name}: {self.last_lines(1)[0]}")
            self._process = None
            self._delay_start()
        if self._process is None and time.monotonic() >= self._start_at:
            self._start()

    def stop(self, is_hurried: Callable[[], bool]) -> None:
        """End the process: SIGTERM, then SIGKILL after the grace or as soon as `is_hurried`."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self.part.grace_seconds
        while process.poll() is None and time.monotonic() < deadline and not is_hurried():
            time.sleep(0.02)
        if process.poll() is None:
            process.kill()
            process.wait()

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines of the log since the start of this box, or why there are none."""
        try:
            with log_file(self.part, self._settings).open("rb") as file:
                file.seek(0, os.SEEK_END)
                size = file.tell()
                begin = self._log_begins_at if self._log_begins_at <= size else 0
                file.seek(max(begin, size - MAX_TAIL_BYTES))
                lines = file.read().decode(errors="replace").split("\n")
        except OSError:
            return ["its log cannot be read"]
        return [line for line in lines if line.strip()][-count:] or ["nothing yet"]

    def remove_pid_file(self) -> None:
        """Remove the pid file of a part that has ended."""
        self._pid_file.unlink(missing_ok=True)

    def _start(self) -> None:
        name = self.part.name
        self._started_at = time.monotonic()
        try:
            self._process = exec_part(self.part, self._settings)
            self._hang_detector.reset(name)
            write_pid_file(self._pid_file, self._process.pid)
        except OSError as error:
            # A full disk or too many processes: the cause may pass, and the other parts continue.
            print_line(f"{name} cannot be started: {error.strerror}")
            if self._process is None:
                self._delay_start()

    def _delay_start(self) -> None:
        self._start_at = time.monotonic() + self._backoff_seconds
        self._backoff_seconds = min(2 * self._backoff_seconds, MAX_BACKOFF_SECONDS)


def exec_part(part: Part, settings: Settings) -> subprocess.Popen[bytes]:
    """Start the process of a part; its output goes to the part's log."""
    with _open_log(log_file(part, settings)) as log:
        return subprocess.Popen(
            part.command,
            cwd=ROOT,
            env=part.environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C must reach the supervisor only, which ends the parts in order.
            start_new_session=True,
        )


def log_file(part: Part, settings: Settings) -> Path:
    """Return the path of a part's log."""
    return settings.home / "logs" / f"{part.name}.log"


def _open_log(path: Path) -> BinaryIO:
    if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")
