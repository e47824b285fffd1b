"""Tables of presets and weights for people."""

import os
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from trainshed.escaping import escaped
from trainshed.formatting import file_size, timestamp

Json = dict[str, Any]
PIPE_WIDTH = 200


def make_console(*, stderr: bool = False) -> Console:
    """Return a console without markup, which breaks no lines when it writes to a pipe."""
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    return console


def print_presets(console: Console, presets: list[Json]) -> None:
    """Print the presets and what each teaches."""
    table = Table(Column("name", no_wrap=True), "what it teaches", show_lines=True)
    for preset in presets:
        table.add_row(preset["name"], Text(f"{preset['title']}\n{preset['teaches']}"))
    console.print(table)


def print_preset(console: Console, preset: Json) -> None:
    """Print a preset: what it teaches, its specification, and what to look at afterwards."""
    console.print(Text(f"{preset['title']}\n\n{preset['teaches']}\n"))
    console.print_json(data=preset["spec"])
    console.print(Text(f"\nAfterwards: {preset['look_at']}"))


def print_weights(console: Console, uploads: list[Json]) -> None:
    """Print the uploaded weights."""
    uploads = escaped(uploads)
    if not uploads:
        console.print("none yet; `trainshed upload FILE` adds weights")
        return
    id_column = Column("id", no_wrap=True)
    table = Table("name", "tensors", "parameters", "size", "created (UTC)", id_column)
    for upload in uploads:
        size, created = file_size(upload["bytes"]), timestamp(upload["created_at"])
        counts = (str(upload["tensors"]), f"{upload['parameters']:,}")
        table.add_row(Text(upload["name"]), *counts, size, created, upload["id"])
    console.print(table)
