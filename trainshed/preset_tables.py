"""Tables of presets for people."""

from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

Json = dict[str, Any]


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
