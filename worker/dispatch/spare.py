"""A runner that waits: imported, warm, and without a job yet."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import structlog

from shared.settings import Settings
from worker.assignment import READY, Assignment
from worker.dispatch.devices import Device

log = structlog.get_logger()

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "worker.runner"]
#: A spare that takes longer hangs; torch from a slow network disk may take minutes.
READY_SECONDS = 180.0
FAREWELL_SECONDS = 1.0
#: What a library prints is logged, up to so many lines of so many characters.
MOST_LINES, LONGEST_LINE = 5, 200
#: What a runner may know: where the data are, what every process needs, and how downloads go.
PASSED_ON = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LD_LIBRARY_PATH",
    "TRAINSHED_HOME", "TRAINSHED_DATABASE_URL", "TRAINSHED_STORAGE_URL", "TRAINSHED_LOG_LEVEL",
    "TRAINSHED_CHECKPOINT_SECONDS", "TRAINSHED_RUNNER_MEMORY_MIB",
    "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TORCH_HOME", "XDG_CACHE_HOME",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NO_PROXY", "no_proxy",
)  # fmt: skip
#: Passed on where no name or password is in them: a runner is given no secret but the database's.
ADDRESSES = (
    "HF_ENDPOINT", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
    "http_proxy", "https_proxy", "all_proxy",
)  # fmt: skip


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of a worker's environment that its runners get."""
    kept = {name: environment[name] for name in PASSED_ON if name in environment}
    for name in ADDRESSES:
        address = environment.get(name)
        if address is not None and "@" in address:
            _say_left_out(name)
        elif address is not None:
            kept[name] = address
    return kept


@cache
def _say_left_out(name: str) -> None:
    """Once, not for every job."""
    log.warning(
        "left out of the trainings' environment",
        name=name,
        why="it holds a name or password, and trainings are given no secret; their downloads do "
        "without it",
    )


class Spare:
    """One spare runner, from its start to the moment it is given a job.

    Which GPUs a process sees is settled with its first step, also one on the CPU: torch asks the
    driver how many there are. So a spare is started with those that it may be given, and learns
    with the job which of them it is.
    """

    def __init__(
        self, settings: Settings, threads: int, wake: threading.Event, devices: Sequence[Device]
    ) -> None:
        #: Where it may be sent.
        self.devices = tuple(devices)
        environment = passed_on(os.environ) | {
            "CUDA_VISIBLE_DEVICES": ",".join(one.uuid for one in self.devices if one.is_gpu),
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "TRAINSHED_HOME": str(settings.home),
            "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
            "OMP_NUM_THREADS": str(threads),
            "PYTHONUNBUFFERED": "1",
        }
        log_file = settings.home / "logs" / "spares.log"
        with log_file.open("ab") as errors:
            self.process = subprocess.Popen(
                COMMAND,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self.is_ready = False
        self._began = time.monotonic()
        self._wake = wake
        self._listener = threading.Thread(target=self._listen, name="spare", daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        for number, line in enumerate(self.process.stdout or ()):
            # At the end of a line: a library may have printed without a newline before it.
            if line.endswith(READY):
                self.is_ready = True
                break
            if number < MOST_LINES:
                log.warning("a spare said", line=line.decode(errors="replace")[:LONGEST_LINE])
        self._wake.set()

    @property
    def is_dead(self) -> bool:
        """Whether it ended before it was given anything."""
        return self.process.poll() is not None

    @property
    def is_late(self) -> bool:
        """Whether it should have been ready long ago."""
        return not self.is_ready and time.monotonic() - self._began > READY_SECONDS

    def give(self, assignment: Assignment) -> subprocess.Popen[bytes]:
        """Hand the job over; from here on the runner is on its own.

        Raises:
            OSError: the spare is dead.
        """
        if self.process.stdin is not None:
            self.process.stdin.write(assignment.line())
        self._close_pipes()
        return self.process

    def dismiss(self) -> None:
        """End it: there will be no job. One that hangs in the kernel is not waited for."""
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(FAREWELL_SECONDS)
        self._listener.join(FAREWELL_SECONDS)
        if not self._listener.is_alive():
            self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
