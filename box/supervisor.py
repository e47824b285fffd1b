"""Starts the parts, starts again what dies, and stops everything in order."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from box.key import ensure_key
from box.parts import ROOT, Part, parts
from box.processes import end, recall, remember, runners
from shared.settings import Settings

TICK_SECONDS = 0.1
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 10.0
#: A part that ran for so long had started well.
SETTLED_SECONDS = 30.0
LARGEST_LOG = 50 * 2**20
RUNNER_GRACE_SECONDS = 20.0


class Refusal(Exception):
    """The box cannot start, and says why."""


@dataclass
class Running:
    """A part on its way."""

    part: Part
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    backoff: float = FIRST_BACKOFF_SECONDS
    start_at: float = 0.0
    restarts: int = field(default=0)


class Supervisor:
    """One box: its home, its parts."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._signals = 0
        self._running: list[Running] = []

    def run(self) -> int:
        """Run the box until SIGTERM or Ctrl-C; return the exit code.

        Raises:
            Refusal: another box has this home, or another service this port.
        """
        settings = self.settings
        settings.make_directories()
        lock = _lock(settings.home / "run" / "box.lock")
        self._clear_leftovers()
        _check_port(settings)
        if ensure_key(settings):
            _say(f"made a key: {settings.key_file}")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop_asked)
        try:
            self._run()
        finally:
            self._stop()
            os.close(lock)
        return 0

    def _run(self) -> None:
        everything = parts(self.settings)
        if everything[0].name == "broker":
            self._running.append(self._start(Running(everything.pop(0))))
        self._migrate()
        self._running += [self._start(Running(part)) for part in everything]
        is_ready, began = False, time.monotonic()
        while not self._signals:
            for running in self._running:
                self._watch(running)
            if not is_ready and self._is_ready():
                is_ready = True
                self._welcome(time.monotonic() - began)
            time.sleep(TICK_SECONDS)

    def _migrate(self) -> None:
        part = Part("migrations", (sys.executable, "-m", "shared.migrations"), 60)
        with self._log(part.name) as log:
            done = subprocess.run(
                part.command,
                cwd=ROOT,
                env=part.environment(self.settings),
                stdout=log,
                stderr=log,
                check=False,
            )
        if done.returncode:
            path = self.settings.home / "logs" / f"{part.name}.log"
            last = path.read_text(errors="replace").strip().splitlines()[-1:]
            raise Refusal(f"the database cannot be used: {''.join(last)} (more in {path})")

    def _start(self, running: Running) -> Running:
        part = running.part
        with self._log(part.name) as log:
            running.process = subprocess.Popen(
                part.command,
                cwd=ROOT,
                env=part.environment(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in a terminal is for the supervisor, which ends the parts in order.
                start_new_session=True,
            )
        running.started = time.monotonic()
        remember(self._pid_file(part), running.process.pid)
        return running

    def _watch(self, running: Running) -> None:
        now = time.monotonic()
        if running.process is not None and running.process.poll() is not None:
            if now - running.started > SETTLED_SECONDS:
                running.backoff = FIRST_BACKOFF_SECONDS
            code = running.process.returncode
            name, wait = running.part.name, running.backoff
            _say(f"{name} ended with {code}; starting it again in {wait:g} s (see logs/{name}.log)")
            running.process = None
            running.start_at = now + running.backoff
            running.backoff = min(2 * running.backoff, LONGEST_BACKOFF_SECONDS)
            running.restarts += 1
        if running.process is None and now >= running.start_at:
            self._start(running)

    def _stop(self) -> None:
        """API first, so that nothing new comes in; the broker last."""
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
        for pid in runners(self.settings.home):
            end(pid, grace_seconds=RUNNER_GRACE_SECONDS if self._signals < 2 else 0)
        for running in self._running:
            self._pid_file(running.part).unlink(missing_ok=True)

    def _clear_leftovers(self) -> None:
        """Stop the parts of a supervisor that was killed; its trainings go on and are adopted."""
        for part in parts(self.settings):
            pid = recall(self._pid_file(part))
            if pid is not None:
                _say(f"stopping the {part.name} that an earlier box left behind (process {pid})")
                # A worker that is asked to end would drain its trainings: it is killed instead.
                end(pid, grace_seconds=0 if part.name == "worker" else part.grace_seconds)

    def _stop_asked(self, *_: object) -> None:
        self._signals += 1
        if self._signals == 1:
            _say("stopping: trainings write a checkpoint first (again: at once)")

    def _is_ready(self) -> bool:
        address = f"http://{_connectable(self.settings.host)}:{self.settings.port}/readyz"
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def _welcome(self, seconds: float) -> None:
        settings = self.settings
        url = f"http://{_connectable(settings.host)}:{settings.port}"
        key = "TRAINSHED_ADMIN_KEY" if settings.admin_key else str(settings.key_file)
        _say(f"ready after {seconds:.1f} s: {url} (the API is described at {url}/docs)")
        _say(f"key: {key} · logs: {settings.home / 'logs'} · Ctrl-C stops it")

    def _pid_file(self, part: Part) -> Path:
        return self.settings.home / "run" / f"{part.name}.pid"

    def _log(self, name: str) -> BinaryIO:
        path = self.settings.home / "logs" / f"{name}.log"
        if path.exists() and path.stat().st_size > LARGEST_LOG:
            path.replace(path.with_suffix(".log.1"))
        return path.open("ab")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _lock(path: Path) -> int:
    """One supervisor a home, by a lock that the kernel releases with the process."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise Refusal(
            f"a box is running in {path.parents[1]} already; stop it, or set TRAINSHED_HOME (and "
            "TRAINSHED_PORT) for another one beside it"
        ) from None
    return file


def _check_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise Refusal(
                f"port {settings.port} of {settings.host} cannot be used ({error.strerror}); set "
                "TRAINSHED_PORT to a free one"
            ) from None


def _connectable(host: str) -> str:
    """An address that a client here can use for one that listens everywhere."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104
