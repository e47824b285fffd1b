"""The next spare of a worker: started when it is due, replaced when it is of no use."""

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from shared.settings import Settings
from worker.dispatch.device import Device
from worker.dispatch.spare import READY_TIMEOUT_SECONDS, Spare

log = structlog.get_logger()

#: A new spare imports torch; the job that was just handed over gets the CPU cores first.
SPARE_DELAY_SECONDS = 1.0
#: After a spare that died or was late.
SPARE_RETRY_SECONDS = 5.0


class NextSpare:
    """The spare of a worker, if it has one now.

    Args:
        settings: of the worker.
        threads: CPU threads of a job.
        wake: set when the spare is ready or has ended.
        has_room: whether a device may get a further job.
    """

    def __init__(
        self,
        settings: Settings,
        threads: int,
        wake: threading.Event,
        has_room: Callable[[Device], bool],
    ) -> None:
        self.settings = settings
        self.threads = threads
        self.spare: Spare | None = None
        self._wake = wake
        self._has_room = has_room
        #: When the next spare is due, by the monotonic clock.
        self._due_at = 0.0

    @property
    def ready(self) -> Spare | None:
        """The spare, if it can get a job."""
        return self.spare if self.spare is not None and self.spare.is_ready else None

    @property
    def is_starting(self) -> bool:
        """Whether it is not ready yet."""
        return self.spare is not None and not self.spare.is_ready

    @property
    def pids(self) -> set[int]:
        """The process of the spare."""
        return set() if self.spare is None else {self.spare.process.pid}

    def hand_out(self) -> None:
        """Forget the spare, which becomes a runner; start the next after a moment."""
        self.spare, self._due_at = None, time.monotonic() + SPARE_DELAY_SECONDS

    def start_soon(self) -> None:
        """Start a spare at the next `ensure` if there is none."""
        self._due_at = 0.0

    def dismiss(self) -> None:
        """End the spare."""
        if self.spare is not None:
            self.spare.dismiss()

    def ensure(self, usable: Sequence[Device]) -> None:
        """Start a spare if it is due; replace a spare that died, is late or has other devices."""
        if self.spare is not None and self.spare.is_dead:
            log.error("spare died", code=self.spare.process.returncode)
            self._drop(self.spare, retry_seconds=SPARE_RETRY_SECONDS)
        elif self.spare is not None and self.spare.is_late:
            log.error("spare killed, not ready in time", timeout_seconds=READY_TIMEOUT_SECONDS)
            self._drop(self.spare, retry_seconds=SPARE_RETRY_SECONDS)
        elif self.spare is not None and self.spare.devices != tuple(usable):
            self._drop(self.spare, retry_seconds=0.0)
        is_due = self.spare is None and time.monotonic() >= self._due_at
        if is_due and self._has_cores(usable):
            self.spare = Spare(self.settings, self.threads, self._wake, usable)

    def _drop(self, spare: Spare, *, retry_seconds: float) -> None:
        spare.dismiss()
        self.spare, self._due_at = None, time.monotonic() + retry_seconds

    def _has_cores(self, usable: Sequence[Device]) -> bool:
        """Return whether a spare can import torch without slowing down a job.

        Where jobs compute on the CPU, a spare waits until a slot is free: nobody could use it
        earlier, and importing torch during a job takes both more time than one after the other.
        """
        return any(device.is_gpu or self._has_room(device) for device in usable)
