"""What the box has: presets, data sets, weights; and the box itself."""

from pathlib import Path
from typing import Annotated

import typer

from trainshed import show
from trainshed.commands.common_options import AsJson, connect, console, print_json, say, transfer
from trainshed.local_checkout import become_the_box

app = typer.Typer()


@app.command()
def presets(
    name: Annotated[str | None, typer.Argument(help="one of them")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Lessons: specifications that `submit --preset NAME` takes as they are."""
    with connect() as client:
        found = client.presets() if name is None else client.preset(name)
    if as_json:
        print_json(found)
    elif isinstance(found, list):
        show.presets(console, found)
    else:
        show.preset(console, found)


@app.command()
def datasets(*, as_json: AsJson = False) -> None:
    """The data sets there are."""
    with connect() as client:
        found = client.datasets()
    print_json(found) if as_json else show.datasets(console, found)


@app.command()
def upload(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="safetensors")],
    *,
    name: Annotated[str | None, typer.Option(help="the file's own unless given")] = None,
    as_json: AsJson = False,
) -> None:
    """Upload weights to fine-tune from; prints their id."""
    with connect() as client, transfer(file.name) as progress:
        found = client.upload_weights(file, name=name, progress=progress)
    print_json(found) if as_json else say(found["id"])


@app.command()
def weights(*, as_json: AsJson = False) -> None:
    """The weights that were uploaded."""
    with connect() as client:
        found = client.weights()
    print_json(found) if as_json else show.weights(console, found)


@app.command()
def up() -> None:
    """Run the box in the foreground (from a checkout)."""
    become_the_box()
