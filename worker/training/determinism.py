"""What keeps a training that was stopped from coming to the bits that it would have come to.

It is kept in the fingerprint of each state, beside the machine: no machine has the like, so that
whatever goes on from such a state is inexact as well, however often it is stopped.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from worker.training.seed import fingerprint

#: What follows an operation's name when torch warns of it.
WARNING = " does not have a deterministic implementation"


class Determinism:
    """What one training's last bits depend on."""

    def __init__(
        self, device: torch.device, operations: set[str], *, is_deterministic: bool
    ) -> None:
        self._device = device
        #: Whether the same bits were asked for: else torch says of no operation that it has others.
        self._is_deterministic = is_deterministic
        #: Operations at work that torch cannot promise the same bits of; grows as they are met.
        self._operations = operations
        self._told: set[str] = set()
        self._is_lost = False

    def fingerprint(self) -> dict[str, str]:
        """The machine's, and what speaks against the same bits on it."""
        marks: dict[str, str] = {}
        if not self._is_deterministic:
            marks["algorithms"] = "any"
        if self._operations:
            marks["operations"] = ", ".join(sorted(self._operations))
        if self._is_lost:
            marks["resumed"] = "inexactly"
        return fingerprint(self._device) | marks

    def resume(self, earlier: dict[str, str], *, is_told: bool) -> None:
        """Go on from a state.

        Args:
            earlier: the state's fingerprint.
            is_told: whether an epoch ended before it, and notes of its operations with it.
        """
        self._is_lost = earlier != fingerprint(self._device)
        if is_told:
            self._told.update(earlier.get("operations", "").split(", "))

    def notes(self) -> list[str]:
        """What is to be told now, once."""
        new = sorted(self._operations - self._told)
        if not new:
            return []
        self._told.update(new)
        note = (
            f"PyTorch has no deterministic implementation of {', '.join(new)} on this device: "
            "if this job is stopped and goes on, its last bits may be others."
        )
        return [note]


@contextmanager
def nondeterministic_operations() -> Iterator[set[str]]:
    """Collect the names of operations that torch warns of; they still are in the log, once."""
    found: set[str] = set()
    with warnings.catch_warnings():
        warnings.filterwarnings("default", message=f".*{WARNING}")
        show = warnings.showwarning

        def note(message: Warning | str, *place: Any) -> None:
            name, is_one, _ = str(message).partition(WARNING)
            if is_one:
                found.add(name)
            show(message, *place)

        warnings.showwarning = note
        yield found
