"""The live progress of a job: a bar on a terminal, lines of text elsewhere."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from trainshed.client import Client
from trainshed.escaping import escaped
from trainshed.event_lines import event_line, joined

Json = dict[str, Any]
#: On a narrower terminal the bar needs the room.
WIDE_COLUMNS = 130
BAR_METRICS = ("val_loss", "val_accuracy", "val_mean_absolute_error")


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
                line = event_line(event)
                if line:
                    progress.console.print(line)
                if event["type"] == "phase":
                    progress.update(task, description=data["phase"])
                elif event["type"] == "epoch":
                    progress.update(task, metrics=joined(data["metrics"], BAR_METRICS))
    return client.get(job_id)


def _rate(data: Json, *, is_wide: bool) -> str:
    minutes, seconds = divmod(round(data["eta_seconds"]), 60)
    left = f"{minutes // 60}:{minutes % 60:02}:{seconds:02}" if minutes >= 60 else ""
    left = left or f"{minutes}:{seconds:02}"
    step = f"step {data['step']:,}/{data['steps']:,} · " if is_wide else ""
    return f"{step}{data['images_per_second']:,.0f} images/s · {left} left"
