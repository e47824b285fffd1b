"""The metrics of several jobs side by side."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from api.catalog.metrics import metric_of
from shared.catalog import Catalog
from shared.jobs.best_values import best_of
from shared.jobs.extremes import Extreme
from shared.jobs.rows import JobRow

#: Metrics come in this order of their beginnings.
ORDER = ("val_", "test_", "generalization_gap", "train_")


def compared_metrics(
    catalog: Catalog, jobs: Sequence[JobRow], extremes: Sequence[Extreme]
) -> list[dict[str, Any]]:
    """Return each metric that a job has: its final and best values, and which jobs are better.

    Args:
        catalog: declares the metrics.
        jobs: the rows of the jobs.
        extremes: the lowest and highest values of their metrics.
    """
    by_name: dict[str, dict[str, list[Extreme]]] = defaultdict(lambda: defaultdict(list))
    for extreme in extremes:
        by_name[extreme.name][extreme.job_id].append(extreme)
    names = {name for job in jobs for name in job.metrics} | by_name.keys()
    return [
        _compared(catalog, name, jobs, by_name.get(name, {})) for name in sorted(names, key=_order)
    ]


def _compared(
    catalog: Catalog, name: str, jobs: Sequence[JobRow], extremes: dict[str, list[Extreme]]
) -> dict[str, Any]:
    declared = metric_of(catalog, name) or {}
    direction = declared.get("direction")
    best = {job.id: best_of(extremes.get(job.id, []), direction) for job in jobs}
    values = {
        job.id: {
            "final": job.metrics.get(name),
            "best": None if (found := best[job.id]) is None else found.value,
            "best_epoch": None if found is None else found.epoch,
            "best_step": None if found is None else found.step,
        }
        for job in jobs
        if name in job.metrics or best[job.id] is not None
    }
    return {
        "name": name,
        "split": declared.get("split"),
        "unit": declared.get("unit"),
        "direction": direction,
        "values": values,
        "better": _better([found for found in best.values() if found is not None], direction),
    }


def _better(found: Sequence[Extreme], direction: Any) -> list[str]:
    """Return the jobs with the best value, where at least one job has a worse value."""
    best = best_of(found, direction)
    if best is None or len({extreme.value for extreme in found}) == 1:
        return []
    return [extreme.job_id for extreme in found if extreme.value == best.value]


def _order(name: str) -> tuple[int, str]:
    places = (place for place, beginning in enumerate(ORDER) if name.startswith(beginning))
    return next(places, len(ORDER)), name
