"""The metrics that checkpoints, early stopping and schedules monitor."""

from typing import Any

from api.catalog.metrics import TaskName, epoch_metric_names
from api.http.faults import quoted, suggestion
from api.jobs.admission.draft import Draft
from api.jobs.admission.stages import stage_pointer, stages_of
from api.jobs.admission.task import DEFAULT_TOP_K
from shared.spec import CheckpointSpec

#: `JobSpec` has the default of a classification.
DEFAULT_REGRESSION_CHECKPOINTS = (
    CheckpointSpec(monitor="val_loss", mode="min"),
    CheckpointSpec(monitor="val_mean_absolute_error", mode="min"),
)


def fill_checkpoints(draft: Draft) -> None:
    """Fill in the default checkpoints of a regression."""
    if draft.spec is not None and "checkpoints" not in draft.raw and draft.task == "regression":
        rules = [rule.model_dump(mode="json") for rule in DEFAULT_REGRESSION_CHECKPOINTS]
        draft.filled["checkpoints"] = rules


def check_checkpoints(draft: Draft) -> None:
    """Check that each metric has one checkpoint, and leave out the fields that are null."""
    rules: list[dict[str, Any]] = draft.filled.get("checkpoints", [])
    monitors: set[str] = set()
    for index, rule in enumerate(rules):
        monitor = rule["monitor"]
        if monitor in monitors:
            text = f"{quoted(monitor)} has a checkpoint already; name each metric once"
            draft.fault(f"/checkpoints/{index}/monitor", text)
        elif monitor is not None:
            monitors.add(monitor)
        rules[index] = {name: value for name, value in rule.items() if value is not None}


def check_metrics(draft: Draft) -> None:
    """Check that the job has the metrics that are monitored."""
    if draft.spec is None:
        return
    available = _available(draft)
    for at, monitor in _monitored(draft.filled):
        if monitor not in available:
            text = f"{quoted(monitor)} is not a metric of this job. "
            draft.fault(at, text + suggestion(monitor, available))


def _available(draft: Draft) -> set[str]:
    """Return the metrics of the job; where its task is unknown, the metrics of both tasks."""
    filled, entries = draft.filled, draft.methods.catalog["regularizers"]
    both: tuple[TaskName, ...] = ("classification", "regression")
    tasks = both if draft.facts is None or draft.task is None else (draft.task,)
    clipping = [(stage["optimizer"] or {}).get("gradient_clipping") for stage in stages_of(filled)]
    is_mixed = any(entries[name].get("mixes_targets") for name in filled["regularizers"])
    top_k = filled["metrics"]["top_k"]
    return {
        name
        for task in tasks
        for name in epoch_metric_names(
            draft.methods.catalog,
            task,
            top_k=DEFAULT_TOP_K if top_k is None else top_k,
            is_clipped=all(clipping),
            is_mixed=is_mixed,
        )
    }


def _monitored(filled: dict[str, Any]) -> list[tuple[str, str]]:
    """Return each monitored metric with its pointer; what stages inherit counts once."""
    stopping, optimizer = filled["training"]["early_stopping"], filled["optimizer"]
    parts = [(f"/checkpoints/{index}", rule) for index, rule in enumerate(filled["checkpoints"])]
    parts.append(("/training/early_stopping", stopping))
    parts.append(("/optimizer/schedule", (optimizer or {}).get("schedule")))
    for index, stage in enumerate(filled["fine_tuning"]["stages"] if filled["fine_tuning"] else ()):
        if stage["early_stopping"] != stopping:
            parts.append((stage_pointer(index, "early_stopping"), stage["early_stopping"]))
        if stage["optimizer"] != optimizer:
            schedule = (stage["optimizer"] or {}).get("schedule")
            parts.append((stage_pointer(index, "optimizer", "schedule"), schedule))
    return [(f"{at}/monitor", part["monitor"]) for at, part in parts if part and "monitor" in part]
