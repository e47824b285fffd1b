"""Commands for the box: its start, its web pages and its backup."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from trainshed.commands.common_options import (
    AsJson,
    connect,
    print_json,
    print_line,
    transfer_progress,
)
from trainshed.local_checkout import exec_box

app = typer.Typer()


@app.command("open")
def print_link(
    job: Annotated[
        str | None, typer.Argument(help="A job's id or name; default: the queue.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Print a link that opens the pages in a browser and logs in without a key.

    It works once, within 10 minutes.
    """
    with connect() as client:
        link = client.login_link("/" if job is None else f"/jobs/{client.job_id(job)}")
    print_json({"link": link}) if as_json else print_line(link)


@app.command()
def backup(
    file: Annotated[
        Path | None, typer.Argument(help="A new file; default: trainshed-TIME.tar.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Download a backup of the box, also while jobs run; needs the role admin.

    `make restore FILE=…` restores it into an empty box.
    """
    path = file or Path(f"trainshed-{datetime.now(UTC):%Y-%m-%d-%H%M%S}.tar")
    with connect() as client, transfer_progress(path.name) as progress:
        client.backup(path, progress=progress)
    print_json({"path": str(path)}) if as_json else print_line(str(path))


@app.command()
def up() -> None:
    """Run the box until Ctrl-C.

    Needs a checkout of Trainshed.
    """
    exec_box()
