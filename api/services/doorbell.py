"""The doorbell: notifies the workers from a separate thread, so that no request waits for Redis."""

import threading

import structlog

from shared.broker import make_celery, ring
from shared.settings import Settings

log = structlog.get_logger()

MIN_RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 30.0


class Doorbell:
    """Sends the message «there may be work»; several notifications may share a message."""

    def __init__(self, settings: Settings) -> None:
        self._app = make_celery(settings)
        self._is_requested = threading.Event()
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
        #: Messages that the broker accepted, and attempts to send that failed.
        self.rings = 0
        self.failures = 0

    def start(self) -> None:
        """Start the thread and notify once, for jobs that were queued before."""
        self._is_requested.set()
        self._thread.start()

    def notify(self) -> None:
        """Notify the workers soon. Call it after the commit; it returns at once."""
        self._is_requested.set()

    def stop(self) -> None:
        """Stop the thread; a notification not sent is not lost, since workers poll as well."""
        self._is_stopped.set()
        self._is_requested.set()

    def responds(self) -> bool:
        """Return whether the broker responds; takes some seconds if it does not."""
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
        except Exception:  # noqa: BLE001 - kombu raises what its transport raises
            return False
        return True

    def _run(self) -> None:
        pause_seconds = MIN_RETRY_SECONDS
        while not self._is_stopped.is_set():
            self._is_requested.wait()
            if self._is_stopped.is_set():
                return
            self._is_requested.clear()
            try:
                ring(self._app)
            except Exception as error:  # noqa: BLE001 - kombu raises what its transport raises
                if not self.failures or pause_seconds == MIN_RETRY_SECONDS:
                    log.warning("the broker does not respond", error=type(error).__name__)
                self.failures += 1
                self._is_requested.set()
                self._is_stopped.wait(pause_seconds)
                pause_seconds = min(2 * pause_seconds, MAX_RETRY_SECONDS)
            else:
                self.rings += 1
                pause_seconds = MIN_RETRY_SECONDS
