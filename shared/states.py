"""The states of a job and the moves between them. The SQL in `shared.jobs` follows this table."""

from typing import Literal, get_args

State = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]
STATES: tuple[str, ...] = get_args(State)

#: Final states are never left.
FINAL: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})

#: From each state, where a job may go.
MOVES: dict[str, frozenset[str]] = {
    "queued": frozenset({"running", "cancelled"}),
    "running": frozenset({"queued", "paused", *FINAL}),
    "paused": frozenset({"queued", "cancelled"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
}

PRIORITIES: dict[str, int] = {"low": -10, "normal": 0, "high": 10}
PRIORITY_NAMES: dict[int, str] = {level: name for name, level in PRIORITIES.items()}


def sources(target: str) -> tuple[str, ...]:
    """The states from which a job may come to `target`."""
    return tuple(state for state, targets in MOVES.items() if target in targets)
