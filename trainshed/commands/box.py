"""Commands for the box: presets, uploaded weights, its start and its web pages."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from trainshed.commands.common_options import (
    AsJson,
    connect,
    console,
    print_json,
    print_line,
    transfer_progress,
)
from trainshed.local_checkout import exec_box
from trainshed.tables import print_preset, print_presets, print_weights

app = typer.Typer()


@app.command()
def presets(
    name: Annotated[str | None, typer.Argument(help="Show only this preset, in full.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List ready-made specifications, each a lesson.

    `trainshed submit --preset NAME` submits one of them.
    """
    with connect() as client:
        result = client.presets() if name is None else client.preset(name)
    if as_json:
        print_json(result)
    elif isinstance(result, list):
        print_presets(console, result)
    else:
        print_preset(console, result)


@app.command()
def upload(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A safetensors file.")],
    *,
    name: Annotated[
        str | None, typer.Option(help="A name for the weights; default: the file's name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Upload weights for fine-tuning and print their id."""
    with connect() as client, transfer_progress(file.name) as progress:
        weights = client.upload_weights(file, name=name, progress=progress)
    print_json(weights) if as_json else print_line(weights["id"])


@app.command()
def weights(*, as_json: AsJson = False) -> None:
    """List the uploaded weights."""
    with connect() as client:
        rows = client.weights()
    print_json(rows) if as_json else print_weights(console, rows)


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
