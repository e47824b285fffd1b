"""A fake of the dispatcher."""

from dataclasses import dataclass


@dataclass
class FakeDispatcher:
    """A dispatcher that counts its notifications."""

    worker: str = "w"
    notifications: int = 0

    def notify(self) -> None:
        self.notifications += 1
