"""Rings for waiting jobs from a thread of its own: no request ever waits for the broker."""

import threading

import structlog

from shared.broker import make_celery, ring
from shared.settings import Settings

log = structlog.get_logger()

FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 30.0


class Doorbell:
    """One ring stands for all that were asked for meanwhile."""

    def __init__(self, settings: Settings) -> None:
        self._app = make_celery(settings)
        self._asked = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
        #: Rings heard by the broker, and tries that failed.
        self.rung = 0
        self.failed = 0

    def start(self) -> None:
        """Begin, with a ring: what was queued while nobody rang."""
        self._asked.set()
        self._thread.start()

    def ask(self) -> None:
        """Have it rung soon. Called after the commit, returns at once."""
        self._asked.set()

    def stop(self) -> None:
        """End the thread; the database remembers what was not rung."""
        self._ended.set()
        self._asked.set()

    def answers(self) -> bool:
        """Whether the broker answers now. Takes up to some seconds where it does not."""
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
        except Exception:  # noqa: BLE001 - kombu raises what its transport raises
            return False
        return True

    def _run(self) -> None:
        pause = FIRST_RETRY_SECONDS
        while not self._ended.is_set():
            self._asked.wait()
            if self._ended.is_set():
                return
            self._asked.clear()
            try:
                ring(self._app)
            except Exception as error:  # noqa: BLE001 - kombu raises what its transport raises
                if not self.failed or pause == FIRST_RETRY_SECONDS:
                    log.warning("the broker does not answer", error=type(error).__name__)
                self.failed += 1
                self._asked.set()
                self._ended.wait(pause)
                pause = min(2 * pause, LONGEST_RETRY_SECONDS)
            else:
                self.rung += 1
                pause = FIRST_RETRY_SECONDS
