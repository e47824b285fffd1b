"""Commands for the queue, the devices, and why a job waits."""

import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.live import Live

from trainshed.commands.common_options import AsJson, Job, connect, console, print_json
from trainshed.queue_tables import devices_view, explanation_view, queue_view

app = typer.Typer()
#: Between two refreshes.
REFRESH_SECONDS = 1.0

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Refresh until Ctrl-C.")]


@app.command()
def queue(*, watch: Watch = False, as_json: AsJson = False) -> None:
    """Show what waits, in the order in which it starts, and who has used how much."""
    with connect() as client:
        _show(client.queue, queue_view, watch=watch, as_json=as_json)


@app.command()
def devices(*, watch: Watch = False, as_json: AsJson = False) -> None:
    """Show what each device does."""
    with connect() as client:
        _show(client.devices, devices_view, watch=watch, as_json=as_json)


@app.command()
def explain(job: Job, *, watch: Watch = False, as_json: AsJson = False) -> None:
    """Show why a job waits and what would start it earlier, or why it started."""
    with connect() as client:
        job_id = client.job_id(job)
        _show(partial(client.explain, job_id), explanation_view, watch=watch, as_json=as_json)


def _show(
    read: Callable[[], Any],
    view: Callable[[Any], RenderableType],
    *,
    watch: bool,
    as_json: bool,
) -> None:
    """Print once, or refresh until the user interrupts."""
    if as_json:
        print_json(read())
        return
    if not watch:
        console.print(view(read()))
        return
    with Live(view(read()), console=console, auto_refresh=False, screen=False) as live:
        while True:
            time.sleep(REFRESH_SECONDS)
            live.update(view(read()), refresh=True)
