"""The metrics that checkpoints, early stopping and schedules monitor."""

import re
from typing import Any

from api.catalog.hints import hint
from api.catalog.metrics import TaskName, epoch_metric_names, metric_of
from api.http.faults import abbreviated, quoted
from api.jobs.admission.draft import Draft
from api.jobs.admission.stages import JOB_PARTS, posted_parts, stages_of
from api.jobs.admission.task import DEFAULT_TOP_K
from shared.spec import CheckpointSpec

#: Which values of a metric are better → the mode that monitors it.
MODES = {"higher": "max", "lower": "min"}
TOP_K = re.compile("val_top_([0-9]{1,9})_accuracy")
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
    """Check that the job has the metrics that are monitored, and fill in which way is better."""
    if draft.spec is None:
        return
    available = _available(draft)
    for at, part in _monitored(draft):
        if part["monitor"] not in available:
            name = part["monitor"]
            text = f"{quoted(name)} is not a metric of this job. "
            end = _reason(draft, name) or hint(name, available)
            draft.fault(f"{at}/monitor", text + end)
        else:
            _fill_mode(draft, at, part)


def _reason(draft: Draft, name: str) -> str:
    """Return why a metric of the catalogue is not one of this job's; empty for other names."""
    metric = metric_of(draft.methods.catalog, name)
    if metric is None:
        return ""
    if metric["split"] == "test":
        text = "The test split is evaluated once, at the end; monitor a metric of the validation "
        return text + f"split, such as {quoted('val_loss')}."
    conditions = metric["conditions"]
    if draft.task is not None and conditions.get("task", draft.task) != draft.task:
        return f"It is a metric of {conditions['task']}, and the job is a {draft.task}."
    if conditions.get("gradient_clipping"):
        return "It is measured where every stage clips gradients."
    k = TOP_K.fullmatch(name)
    return "" if k is None else _reason_of_top_k(int(k[1]))


def _reason_of_top_k(k: int) -> str:
    if k == 1:
        return f"With k = 1 it is {quoted('val_accuracy')}."
    return f"It is measured with {k} in `/metrics/top_k`."


def _fill_mode(draft: Draft, at: str, part: dict[str, Any]) -> None:
    """Fill in the mode of a monitor from the direction of its metric, and check a posted mode."""
    if "mode" not in part:  # a schedule that knows which way is better
        return
    name, mode = part["monitor"], part["mode"]
    metric = metric_of(draft.methods.catalog, name) or {}
    direction = metric.get("direction")
    if direction is None:
        if mode is None:
            text = f"is required, since {name} has no direction: neither higher nor lower values "
            draft.fault(f"{at}/mode", text + 'are better; use "min" or "max"')
        return
    expected = MODES[direction]
    if mode not in (None, expected):
        text = f"is {abbreviated(mode)}, but {direction} values of {name} are better; use "
        draft.fault(f"{at}/mode", text + f"{abbreviated(expected)}, or leave mode out")
    part["mode"] = expected


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


def _monitored(draft: Draft) -> list[tuple[str, dict[str, Any]]]:
    """Return each part that monitors a metric, with its pointer."""
    filled = draft.filled
    parts = [(f"/checkpoints/{index}", rule) for index, rule in enumerate(filled["checkpoints"])]
    # The job's own parts are shown and checked also where no stage inherits them.
    parts.append((JOB_PARTS["early_stopping"], filled["training"]["early_stopping"]))
    parts += [(at, part) for at, part, _ in posted_parts(draft, "early_stopping")]
    optimizers = [(JOB_PARTS["optimizer"], filled["optimizer"])]
    optimizers += [(at, part) for at, part, _ in posted_parts(draft, "optimizer")]
    parts += [(f"{at}/schedule", (part or {}).get("schedule")) for at, part in optimizers]
    return [(at, part) for at, part in parts if part and part.get("monitor") is not None]
