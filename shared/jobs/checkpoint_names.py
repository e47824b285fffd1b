"""Names of checkpoints, and the lookup by id or name.

A specification or an address names a checkpoint by its id, or as `last`, `initial`,
`best_<monitor>` or `epoch_<n>`.
"""

from collections.abc import Iterable

from shared.errors import NotFound
from shared.jobs.recording import NewCheckpoint
from shared.jobs.rows import CheckpointRow

#: Characters of an unknown name that a message repeats.
MAX_SHOWN_LENGTH = 100


def checkpoint_name(checkpoint: CheckpointRow | NewCheckpoint) -> str:
    """Return `last`, `initial`, `best_<monitor>`, or `epoch_<n>` for one of a series."""
    if checkpoint.kind == "best":
        return f"best_{checkpoint.monitor}"
    return f"epoch_{checkpoint.epoch}" if checkpoint.kind == "series" else checkpoint.kind


def default_checkpoint_name(monitors: Iterable[str | None]) -> str:
    """Return the name of the checkpoint that represents its job where none is named.

    It is the best checkpoint by the first monitor, or the last checkpoint without a monitor.

    Args:
        monitors: of the specification's `checkpoints`, in their order; None for other rules.
    """
    first = next((monitor for monitor in monitors if monitor), None)
    return "last" if first is None else f"best_{first}"


def find_checkpoint(
    checkpoints: Iterable[CheckpointRow], id_or_name: str, *, with_previous: bool = False
) -> CheckpointRow:
    """Return the checkpoint with this id or name.

    Args:
        checkpoints: of one job.
        id_or_name: of the checkpoint.
        with_previous: whether the fallback of `last` is found by its id. It has no name. Its file
            exists until the next checkpoint, so an id that a client saw on `last` stays valid.

    Raises:
        NotFound: no such checkpoint; the detail lists the names that exist.
    """
    names: dict[str, None] = {}
    for checkpoint in checkpoints:
        is_previous = checkpoint.kind == "previous"
        if checkpoint.id == id_or_name and (with_previous or not is_previous):
            return checkpoint
        if is_previous:
            continue
        name = checkpoint_name(checkpoint)
        if name == id_or_name:
            return checkpoint
        names[name] = None
    raise NotFound(
        f"The job has no checkpoint {id_or_name[:MAX_SHOWN_LENGTH]!r}; "
        f"it has {', '.join(names) or 'none yet'}."
    )
