"""Commands for uploaded weights: upload a file, list them."""

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
from trainshed.weights_tables import print_weights

app = typer.Typer()


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
