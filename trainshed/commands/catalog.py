"""Commands for what a job can be made of: presets, methods, and a preview of an augmentation."""

from pathlib import Path
from typing import Annotated, Any

import typer

from trainshed.catalog_tables import print_entries, print_entry, print_slots
from trainshed.commands.common_options import (
    AsJson,
    Changes,
    Preset,
    Spec,
    connect,
    console,
    print_json,
    print_line,
    read_spec,
)
from trainshed.errors import WrongUsage, no_such
from trainshed.preset_tables import print_preset, print_presets

app = typer.Typer()
Json = dict[str, Any]


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
def catalog(
    slot: Annotated[
        str | None, typer.Argument(help="Show the methods of this slot, such as optimizers.")
    ] = None,
    name: Annotated[str | None, typer.Argument(help="Show this method in full.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what can be trained: slots, methods, and the parameters of a method."""
    with connect() as client:
        slots = client.catalog()
    if slot is None:
        print_json(slots) if as_json else print_slots(console, slots)
        return
    # A specification names most slots in the singular.
    found = next((known for known in slots if slot.lower() in {known, known[:-1]}), None)
    if found is None:
        raise no_such("slot", slot, [*slots])
    entries: Json = slots[found]
    if name is None:
        print_json(entries) if as_json else print_entries(console, found, entries)
        return
    if name not in entries:
        raise no_such(f"entry of {found}", name, [*entries])
    print_json(entries[name]) if as_json else print_entry(console, name, entries[name])


@app.command()
def preview(
    spec: Spec = None,
    *,
    preset: Preset = None,
    set_: Changes = None,
    count: Annotated[
        int | None, typer.Option(min=1, max=32, help="The number of images; default: 8.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file for the picture.")
    ] = Path("preview.png"),
) -> None:
    """Save a picture of training images before and after augmentation."""
    with connect() as client:
        body = read_spec(client, spec, preset, set_)
        if not isinstance(body, dict):
            raise WrongUsage(f"{spec} must hold a JSON object.")
        png = client.preview(body, count=count)
    output.write_bytes(png)
    print_line(str(output))
