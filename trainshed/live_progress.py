"""The live progress of a job: a bar on a terminal, lines of text elsewhere."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from trainshed.client import Client
from trainshed.escaping import escaped
from trainshed.formatting import number

Json = dict[str, Any]
#: The stage of a job whose specification names no stages.
DEFAULT_STAGE = "training"
#: On a narrower terminal the bar needs the room.
WIDE_COLUMNS = 130
BAR_METRICS = ("val_loss", "val_accuracy", "val_mean_absolute_error")
EPOCH_METRICS = (
    *("train_loss", "train_accuracy", "train_mixed_accuracy"),
    *("val_loss", "val_data_loss", "val_accuracy", "val_top_5_accuracy"),
    *("val_mean_absolute_error", "val_root_mean_squared_error"),
)


def show_progress(console: Console, client: Client, job_id: str) -> Json:
    """Show the job's progress until it has ended, and return the job."""
    is_wide = console.width >= WIDE_COLUMNS
    columns = [
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
    ]
    if is_wide:
        columns.append(TextColumn("{task.fields[metrics]}", style="cyan"))
    # Transient: the printed lines stay, the bar does not; a short job ends before it is full.
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True
    ) as progress:
        task = progress.add_task("queued", total=1.0, rate="", metrics="")
        for event in map(escaped, client.follow(job_id)):
            data = event["data"]
            if event["type"] == "progress":
                progress.update(
                    task,
                    completed=data["fraction"],
                    description=f"{data['stage']}: epoch {data['epoch']}/{data['epochs']}",
                    rate=_rate(data, is_wide=is_wide),
                )
            else:
                line = _line(event)
                if line:
                    progress.console.print(line)
                if event["type"] == "phase":
                    progress.update(task, description=data["phase"])
                elif event["type"] == "epoch":
                    progress.update(task, metrics=_join(data["metrics"], BAR_METRICS))
    return client.get(job_id)


def _line(event: Json) -> str:
    """Return an event as a line of text; empty for events that are not for people."""
    data, kind = event["data"], event["type"]
    if kind == "epoch":
        return f"epoch {data['epoch']}/{data['epochs']}: {_join(data['metrics'], EPOCH_METRICS)}"
    if kind == "state":
        return _state_line(data)
    if kind == "attempt" and data["attempt"] > 1:
        return f"attempt {data['attempt']} resumes at step {data['step']}"
    if kind in {"stage", "stage_end"} and data["stage"] != DEFAULT_STAGE:
        return f"stage {data['stage']}: {data.get('text') or _extent(data)}"
    return f"note: {data['text']}" if kind == "note" else ""


def _extent(stage: Json) -> str:
    return f"{stage['trainable_parameters']:,} trainable parameters, {stage['epochs']} epochs"


def _state_line(data: Json) -> str:
    """Return a change of the state; the end of a failed job is printed below, with its hint."""
    state, text = data["state"], data.get("text")
    if state == "failed":
        return state
    if text:
        return text if text.startswith(state) else f"{state}: {text}"
    device = f" on {data['device']}" if "device" in data else ""
    reason = f" ({data['reason']})" if data.get("reason") else ""
    return f"{state}{device}{reason}"


def _join(metrics: Json, names: tuple[str, ...]) -> str:
    if metrics.get("val_data_loss") == metrics.get("val_loss"):  # there is no penalty
        names = tuple(name for name in names if name != "val_data_loss")
    return ", ".join(f"{name} {number(metrics[name])}" for name in names if name in metrics)


def _rate(data: Json, *, is_wide: bool) -> str:
    minutes, seconds = divmod(round(data["eta_seconds"]), 60)
    left = f"{minutes // 60}:{minutes % 60:02}:{seconds:02}" if minutes >= 60 else ""
    left = left or f"{minutes}:{seconds:02}"
    step = f"step {data['step']:,}/{data['steps']:,} · " if is_wide else ""
    return f"{step}{data['images_per_second']:,.0f} images/s · {left} left"
