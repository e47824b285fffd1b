"""Follows a job with a progress bar on a terminal, with lines where there is none."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from trainshed.client import Client
from trainshed.formatting import figure

Json = dict[str, Any]
#: What the stage of a job is called that asks for none.
THE_ONLY_STAGE = "training"
#: Where fewer characters fit into a line, the bar needs the room.
WIDE = 130
SHORTEST = ("val_loss", "val_accuracy", "val_mean_absolute_error")
WATCHED = (
    *("train_loss", "train_accuracy", "train_mixed_accuracy"),
    *("val_loss", "val_accuracy", "val_top_5_accuracy"),
    *("val_mean_absolute_error", "val_root_mean_squared_error"),
)


def live(console: Console, client: Client, job_id: str) -> Json:
    """Show the job until it has ended; return it."""
    is_wide = console.width >= WIDE
    columns = [
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
    ]
    if is_wide:
        columns.append(TextColumn("{task.fields[figures]}", style="cyan"))
    # Transient: what stays is said in lines, and a short job ends before its bar is full.
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True
    ) as progress:
        task = progress.add_task("queued", total=1.0, rate="", figures="")
        for event in client.follow(job_id):
            data = event["data"]
            if event["type"] == "progress":
                progress.update(
                    task,
                    completed=data["fraction"],
                    description=f"{data['stage']}: epoch {data['epoch']}/{data['epochs']}",
                    rate=_rate(data, is_wide=is_wide),
                )
            else:
                said = _sentence(event)
                if said:
                    progress.console.print(said)
                if event["type"] == "phase":
                    progress.update(task, description=data["phase"])
                elif event["type"] == "epoch":
                    progress.update(task, figures=_figures(data["metrics"], SHORTEST))
    return client.get(job_id)


def _sentence(event: Json) -> str:
    """An event in words; empty for what says nothing to a person."""
    data, kind = event["data"], event["type"]
    if kind == "epoch":
        return f"epoch {data['epoch']}/{data['epochs']}: {_figures(data['metrics'], WATCHED)}"
    if kind == "state":
        where = f" on {data['device']}" if "device" in data else ""
        why = f" ({data['reason']})" if data.get("reason") else ""
        return f"{data['state']}{where}{why}"
    if kind == "attempt" and data["attempt"] > 1:
        return f"attempt {data['attempt']} goes on from step {data['step']}"
    if kind == "stage" and data["stage"] != THE_ONLY_STAGE:
        learning = f"{data['trainable_parameters']:,} parameters learn"
        return f"stage {data['stage']}: {learning}, {data['epochs']} epochs"
    if kind == "note":
        return f"note: {data['text']}"
    return ""


def _figures(metrics: Json, names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {figure(metrics[name])}" for name in names if name in metrics)


def _rate(data: Json, *, is_wide: bool) -> str:
    minutes, seconds = divmod(round(data["eta_seconds"]), 60)
    left = f"{minutes // 60}:{minutes % 60:02}:{seconds:02}" if minutes >= 60 else ""
    left = left or f"{minutes}:{seconds:02}"
    step = f"step {data['step']:,}/{data['steps']:,} · " if is_wide else ""
    return f"{step}{data['images_per_second']:,.0f} images/s · {left} left"
