"""Refuses a job whose checkpoints could fill the disk, and says what to delete."""

import shutil
from typing import Any

from api.services.container import Services
from api.services.principal import Principal
from shared.errors import DiskFull
from shared.jobs.deletion import list_largest

MIB = 2**20
BYTES_PER_PARAMETER = 4
#: The most that a checkpoint has besides the weights: two moments of the optimizer.
MOMENTS = 2
#: Of ended jobs in an error.
MAX_LISTED = 5


def check(
    services: Services,
    principal: Principal,
    spec: dict[str, Any] | None = None,
    parameters: int | None = None,
) -> None:
    """Check that a new job leaves the reserve of the disk free.

    Args:
        services: the parts of this service.
        principal: who submits it; only jobs that they may delete are listed.
        spec: of the new job, whose rules say how many checkpoints it keeps. None for a job of
            which only the reserve is checked.
        parameters: the number of values of a checkpoint's weights.

    Raises:
        DiskFull: with the bytes that are free and needed, and the largest ended jobs.
    """
    reserve = services.settings.disk_reserve_mib * MIB
    if not reserve:
        return
    needed = checkpoint_bytes(spec, parameters) if spec is not None and parameters else 0
    free = shutil.disk_usage(services.storage.root).free
    if free >= reserve + needed:
        return
    owner = None if principal.is_admin else principal.name
    with services.database.read() as connection:
        largest = list_largest(connection, limit=MAX_LISTED, only_owner=owner)
    raise DiskFull(
        f"The disk has {_mib(free)} MiB free, of which {_mib(reserve)} MiB are a reserve, and the "
        f"checkpoints of this job take up to {_mib(needed)} MiB. Delete ended jobs; `largest_jobs` "
        "lists the jobs that have the largest checkpoints.",
        free_bytes=free,
        needed_bytes=needed,
        reserve_bytes=reserve,
        largest_jobs=largest,
    )


def checkpoint_bytes(spec: dict[str, Any], parameters: int) -> int:
    """Return the most that the checkpoints of a job take: each has a directory of its own."""
    training = spec["training"]
    keeps_best = bool((training.get("early_stopping") or {}).get("restore_best"))
    size = BYTES_PER_PARAMETER * parameters * (1 + MOMENTS + keeps_best)
    rules = spec["checkpoints"]
    series = [rule["every_epochs"] for rule in rules if rule.get("every_epochs")]
    stages = (spec.get("fine_tuning") or {}).get("stages") or [training]
    epochs = sum(stage["epochs"] for stage in stages)
    # The last checkpoint and its predecessor are always kept.
    count = 2 + len(rules) - len(series) + sum(epochs // every for every in series)
    return size * count


def _mib(size: int) -> str:
    return f"{size / MIB:,.0f}"
