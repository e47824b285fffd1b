"""Finds parts that live and do not answer: a process can hang without dying."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping

from box.health_checks import LIVES
from shared.settings import Settings

ROUND_SECONDS = 5.0
#: A minute, since a loaded machine is slow, and counted in questions, not by the clock: a box
#: that was stopped and goes on has not been left without an answer.
SILENT_ROUNDS = 12


class Pulse:
    """Asks the parts in a thread of its own, so that a silent one holds nobody up."""

    def __init__(
        self,
        settings: Settings,
        lives: Mapping[str, Callable[[Settings], bool]] = LIVES,
        *,
        round_seconds: float = ROUND_SECONDS,
    ) -> None:
        self._settings = settings
        self._lives = lives
        self._round_seconds = round_seconds
        self._have_answered: set[str] = set()
        self._silent: Counter[str] = Counter()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._ended.set()

    def forget(self, name: str) -> None:
        """The part was started anew: it has not answered yet."""
        self._have_answered.discard(name)
        self._silent[name] = 0

    def is_hung(self, name: str) -> bool:
        """Whether the part answered once and has been silent for long."""
        return name in self._have_answered and self._silent[name] >= SILENT_ROUNDS

    def _run(self) -> None:
        while not self._ended.wait(self._round_seconds):
            for name, lives in self._lives.items():
                if lives(self._settings):
                    self._have_answered.add(name)
                    self._silent[name] = 0
                else:
                    self._silent[name] += 1
