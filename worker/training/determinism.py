"""Reasons why a resumed job may end in other bits than without a stop.

They are marks in the fingerprint of each state, next to the machine. A fingerprint with a mark
never equals the fingerprint of a machine, so every resume from it is inexact too.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from worker.training.seed import machine_fingerprint

#: What follows an operation's name in torch's warning.
WARNING = " does not have a deterministic implementation"


class Determinism:
    """What the last bits of the results depend on."""

    def __init__(
        self,
        device: torch.device,
        operations: set[str],
        *,
        is_deterministic: bool,
        processes: int = 1,
    ) -> None:
        self._machine = machine_fingerprint(device, processes)
        #: Whether deterministic algorithms are requested; without, torch warns of no operation.
        self._is_deterministic = is_deterministic
        #: The operations met so far that have no deterministic implementation.
        self._operations = operations
        self._noted: set[str] = set()
        self._was_resumed_inexactly = False

    def fingerprint(self) -> dict[str, str]:
        """Return the machine's fingerprint, and a mark for each reason why bits may differ."""
        marks: dict[str, str] = {}
        if not self._is_deterministic:
            marks["algorithms"] = "any"
        if self._operations:
            marks["operations"] = ", ".join(sorted(self._operations))
        if self._was_resumed_inexactly:
            marks["resumed"] = "inexactly"
        return self._machine | marks

    def resume(self, earlier: dict[str, str], *, has_noted: bool) -> None:
        """Continue from a state.

        Args:
            earlier: the state's fingerprint.
            has_noted: whether an epoch ended before it, which noted the operations.
        """
        self._was_resumed_inexactly = earlier != self._machine
        if has_noted:
            self._noted.update(earlier.get("operations", "").split(", "))

    def notes(self) -> list[str]:
        """Return a note for the user if there are new operations."""
        new = sorted(self._operations - self._noted)
        if not new:
            return []
        self._noted.update(new)
        note = (
            f"PyTorch has no deterministic implementation of {', '.join(new)} on this device. "
            "If this job is stopped and resumed, the last bits of its results may differ."
        )
        return [note]


@contextmanager
def nondeterministic_operations() -> Iterator[set[str]]:
    """Collect the names of the operations that torch warns of. The warnings are still shown."""
    operations: set[str] = set()
    with warnings.catch_warnings():
        warnings.filterwarnings("default", message=f".*{WARNING}")
        show = warnings.showwarning

        def collect(message: Warning | str, *location: Any) -> None:
            name, is_match, _ = str(message).partition(WARNING)
            if is_match:
                operations.add(name)
            show(message, *location)

        warnings.showwarning = collect
        yield operations
