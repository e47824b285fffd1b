"""The spare: a warm runner, with torch imported, that has no job yet."""

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
from worker.assignment import READY, WARM_GPU, Assignment
from worker.dispatch.device import Device

log = structlog.get_logger()

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "worker.runner"]
#: A spare that takes longer hangs; importing torch from a slow network disk may take minutes.
READY_TIMEOUT_SECONDS = 180.0
DISMISS_TIMEOUT_SECONDS = 1.0
#: The first lines that a library prints before the spare is ready are logged, cut to this length.
MAX_LINES, MAX_LINE_LENGTH = 5, 200
#: What a runner gets of the worker's environment: where the data lie, what every process needs,
#: and how downloads work.
RUNNER_VARIABLES: tuple[str, ...] = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LD_LIBRARY_PATH",
    "TRAINSHED_HOME", "TRAINSHED_DATABASE_URL", "TRAINSHED_STORAGE_URL", "TRAINSHED_LOG_LEVEL",
    "TRAINSHED_CHECKPOINT_SECONDS", "TRAINSHED_RUNNER_MEMORY_MIB", "TRAINSHED_DOWNLOADS",
    "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TORCH_HOME", "XDG_CACHE_HOME",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NO_PROXY", "no_proxy",
)  # fmt: skip
#: Left out if they contain credentials: the database's address is a runner's only secret.
RUNNER_ADDRESSES = (
    "HF_ENDPOINT", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
    "http_proxy", "https_proxy", "all_proxy",
)  # fmt: skip


def runner_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of a worker's environment that its runners get."""
    kept = {name: environment[name] for name in RUNNER_VARIABLES if name in environment}
    for name in RUNNER_ADDRESSES:
        address = environment.get(name)
        if address is not None and "@" in address:
            _warn_left_out(name)
        elif address is not None:
            kept[name] = address
    return kept


@cache
def _warn_left_out(name: str) -> None:
    """Log, once for each variable, that runners do not get it."""
    log.warning(
        "variable left out of the runners' environment",
        name=name,
        reason="It contains credentials, and runners get none: their downloads do without it.",
    )


class Spare:
    """A spare runner, from its start until it gets a job.

    Which GPUs a process can use is fixed with torch's first step, even on the CPU, because torch
    asks the driver how many there are. So all devices that the spare may get are visible to it
    from the start, and the assignment names one of them.

    Args:
        settings: of the worker.
        threads: CPU threads of the job.
        wake: set when the spare is ready or has ended.
        devices: the devices that it may get.
    """

    def __init__(
        self, settings: Settings, threads: int, wake: threading.Event, devices: Sequence[Device]
    ) -> None:
        self.devices = tuple(devices)
        environment = runner_environment(os.environ) | {
            "CUDA_VISIBLE_DEVICES": ",".join(gpu.uuid for gpu in self.devices if gpu.is_gpu),
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "TRAINSHED_HOME": str(settings.home),
            "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
            "PYTORCH_ALLOC_CONF": "expandable_segments:True",  # less memory lost between tensors
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
        #: The devices that it was requested to set up.
        self.warmed: set[str] = set()
        self._started_at = time.monotonic()
        self._wake = wake
        self._reader = threading.Thread(target=self._wait_until_ready, name="spare", daemon=True)
        self._reader.start()

    def _wait_until_ready(self) -> None:
        for number, line in enumerate(self.process.stdout or ()):
            # At the end of a line: a library may have printed without a newline before it.
            if line.endswith(READY):
                self.is_ready = True
                break
            if number < MAX_LINES:
                text = line.decode(errors="replace")[:MAX_LINE_LENGTH]
                log.warning("unexpected output of a spare", line=text)
        self._wake.set()

    @property
    def is_dead(self) -> bool:
        """Whether its process has ended."""
        return self.process.poll() is not None

    @property
    def is_late(self) -> bool:
        """Whether it is not ready although the time for that is over."""
        is_over = time.monotonic() - self._started_at > READY_TIMEOUT_SECONDS
        return not self.is_ready and is_over

    def warm_up(self, device: Device) -> None:
        """Request once that it sets up a GPU; a job assigned meanwhile starts after that."""
        if device.name in self.warmed or self.process.stdin is None:
            return
        self.warmed.add(device.name)
        with suppress(OSError):  # dead: the dispatcher replaces it
            self.process.stdin.write(WARM_GPU + b"%d\n" % self.devices.index(device))
            self.process.stdin.flush()

    def assign(self, assignment: Assignment) -> subprocess.Popen[bytes]:
        """Hand the job over and return the process, which is a runner from then on.

        Raises:
            OSError: the spare is dead.
        """
        if self.process.stdin is not None:
            self.process.stdin.write(assignment.line())
        self._close_pipes()
        return self.process

    def dismiss(self) -> None:
        """Kill the process. If it hangs in the kernel, do not wait until it is gone."""
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(DISMISS_TIMEOUT_SECONDS)
        self._reader.join(DISMISS_TIMEOUT_SECONDS)
        if not self._reader.is_alive():
            self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
