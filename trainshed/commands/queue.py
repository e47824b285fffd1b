"""Commands for the queue, the devices, and why a job waits."""

import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.live import Live

from trainshed.commands.common_options import AsJson, Job, connect, console, print_json
from trainshed.event_stream import FINAL_STATES
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
        read = partial(client.explain, job_id)
        _show(read, explanation_view, watch=watch, as_json=as_json, is_last=_has_ended)


def _has_ended(explanation: Any) -> bool:
    return explanation["state"] in FINAL_STATES


def _show(
    read: Callable[[], Any],
    view: Callable[[Any], RenderableType],
    *,
    watch: bool,
    as_json: bool,
    is_last: Callable[[Any], bool] = lambda _: False,
) -> None:
    """Print once, or refresh until the user interrupts or nothing changes any more."""
    if as_json:
        print_json(read())
        return
    if not watch:
        console.print(view(read()))
        return
    found = read()
    with Live(view(found), console=console, auto_refresh=False, screen=False) as live:
        while not is_last(found):
            time.sleep(REFRESH_SECONDS)
            found = read()
            live.update(view(found), refresh=True)
