"""Detection of parts that run but no longer answer."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping

from box.health_checks import HEALTH_CHECKS
from shared.settings import Settings

INTERVAL_SECONDS = 5.0
#: A minute, since a loaded machine is slow. Counted in checks instead of seconds, so that parts do
#: not count as hung after the whole box was suspended.
MAX_FAILED_CHECKS = 12


class HangDetector:
    """Runs the health checks in a separate thread, so that a slow check delays nothing else."""

    def __init__(
        self,
        settings: Settings,
        health_checks: Mapping[str, Callable[[Settings], bool]] = HEALTH_CHECKS,
        *,
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        self._settings = settings
        self._health_checks = health_checks
        self._interval_seconds = interval_seconds
        self._have_answered: set[str] = set()
        self._failed_checks: Counter[str] = Counter()
        self._has_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hang-detector", daemon=True)

    def start(self) -> None:
        """Start the checks."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the checks."""
        self._has_stopped.set()

    def reset(self, name: str) -> None:
        """Forget a part's answers, because it was restarted."""
        self._have_answered.discard(name)
        self._failed_checks[name] = 0

    def is_hung(self, name: str) -> bool:
        """Return whether the part answered after its start and has been silent since."""
        return name in self._have_answered and self._failed_checks[name] >= MAX_FAILED_CHECKS

    def _run(self) -> None:
        while not self._has_stopped.wait(self._interval_seconds):
            for name, is_alive in self._health_checks.items():
                if is_alive(self._settings):
                    self._have_answered.add(name)
                    self._failed_checks[name] = 0
                else:
                    self._failed_checks[name] += 1
