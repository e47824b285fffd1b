"""Events of a job as lines of text."""

import json
from typing import Any

from rich.console import Console
from rich.text import Text

from trainshed.escaping import escaped
from trainshed.formatting import number, timestamp

Json = dict[str, Any]
#: The stage of a job whose specification names no stages.
DEFAULT_STAGE = "training"
EPOCH_METRICS = (
    *("train_loss", "train_accuracy", "train_mixed_accuracy"),
    *("val_loss", "val_data_loss", "val_accuracy", "val_top_5_accuracy"),
    *("val_mean_absolute_error", "val_root_mean_squared_error"),
)


def print_events(console: Console, events: list[Json]) -> None:
    """Print all events: when, what kind, and what it says or else its data."""
    for event in escaped(events):
        text = event_line(event) or json.dumps(event["data"], ensure_ascii=False)
        line = f"{timestamp(event['at'])}  {event['type']:<10}  {text}"
        console.print(Text(line), soft_wrap=True)


def event_line(event: Json) -> str:
    """Return an event as a line of text; empty for events that are not for people."""
    data, kind = event["data"], event["type"]
    if kind == "epoch":
        return f"epoch {data['epoch']}/{data['epochs']}: {joined(data['metrics'], EPOCH_METRICS)}"
    if kind == "state":
        return _state_line(data)
    if kind == "attempt" and data["attempt"] > 1:
        return f"attempt {data['attempt']} resumes at step {data['step']}"
    if kind in {"stage", "stage_end"} and data["stage"] != DEFAULT_STAGE:
        return f"stage {data['stage']}: {data.get('text') or _extent(data)}"
    if kind == "finding":
        return _finding_line(data)
    return f"note: {data['text']}" if kind == "note" else ""


def _finding_line(data: Json) -> str:
    """Return an error or a warning that was found, or that it is over; nothing for others."""
    if data["severity"] == "info":
        return ""
    state = "" if data["state"] == "open" else " resolved"
    return f"{data['severity']}{state}: {data['rule']}: {data['text']}"


def _extent(stage: Json) -> str:
    return f"{stage['trainable_parameters']:,} trainable parameters, {stage['epochs']} epochs"


def _state_line(data: Json) -> str:
    """Return a change of the state; the end of a failed job is printed below, with its hint."""
    state, text = data["state"], data.get("text")
    if state == "failed":
        return state
    if text:
        return text if text.startswith(state) else f"{state}: {text}"
    devices = data.get("devices") or [data["device"]] if "device" in data else []
    device = f" on {', '.join(devices)}" if devices else ""
    reason = f" ({data['reason']})" if data.get("reason") else ""
    return f"{state}{device}{reason}"


def joined(metrics: Json, names: tuple[str, ...]) -> str:
    """Return the metrics that there are, in the order of the names."""
    if metrics.get("val_data_loss") == metrics.get("val_loss"):  # there is no penalty
        names = tuple(name for name in names if name != "val_data_loss")
    return ", ".join(f"{name} {number(metrics[name])}" for name in names if name in metrics)
