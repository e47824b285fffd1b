"""How a specification or an address names a checkpoint beside by its id."""

from collections.abc import Iterable

from shared.jobs.recording import NewCheckpoint
from shared.jobs.rows import CheckpointRow


def name_of(row: CheckpointRow | NewCheckpoint) -> str:
    """`last`, `initial`, `best_<monitor>`, or `epoch_<n>` for one of a series."""
    if row.kind == "best":
        return f"best_{row.monitor}"
    return f"epoch_{row.epoch}" if row.kind == "series" else row.kind


def deciding(monitors: Iterable[str | None]) -> str:
    """The name of the checkpoint that speaks for its job where none is named.

    It is the best one by the first monitor; where that is lost, or none is watched, the last.

    Args:
        monitors: of the specification's `checkpoints`, in their order; None for other rules.
    """
    first = next((monitor for monitor in monitors if monitor), None)
    return "last" if first is None else f"best_{first}"


def find(rows: Iterable[CheckpointRow], name: str) -> CheckpointRow | None:
    """The checkpoint of this id or name; what is kept for safety only has no name."""
    return next(
        (row for row in rows if row.kind != "previous" and name in {row.id, name_of(row)}),
        None,
    )


def names(rows: Iterable[CheckpointRow]) -> str:
    """The names there are, as a text for people."""
    found = dict.fromkeys(name_of(row) for row in rows if row.kind != "previous")
    return ", ".join(found) or "none yet"
