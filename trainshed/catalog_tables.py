"""The catalogue for people: slots, the methods of a slot, a method in full."""

import json
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

Json = dict[str, Any]
#: The keywords of JSON Schema that bound a number, as signs.
BOUNDS = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
}


def print_slots(console: Console, catalog: Json) -> None:
    """Print each slot with the names of its methods."""
    table = Table(Column("slot", no_wrap=True), "methods", show_lines=True)
    for slot, entries in catalog.items():
        table.add_row(slot, Text(", ".join(entries)))
    console.print(table)
    console.print("more: trainshed catalog SLOT, trainshed catalog SLOT NAME", soft_wrap=True)


def print_entries(console: Console, slot: str, entries: Json) -> None:
    """Print the methods of a slot and what each does."""
    table = Table(Column("name", no_wrap=True), "what it does")
    for name, entry in entries.items():
        table.add_row(name, Text(entry["summary"]))
    console.print(table)
    console.print(f"parameters of one of them: trainshed catalog {slot} NAME", soft_wrap=True)


def print_entry(console: Console, name: str, entry: Json) -> None:
    """Print a method: what it does, its source and its parameters. Of a metric its facts."""
    console.print(Text(f"{name}: {entry['summary']}"), soft_wrap=True)
    facts = {key: entry.get(key) for key in ("source", "split", "unit", "direction")}
    for key, value in facts.items():
        if value:
            console.print(Text(f"{key}: {value}"), soft_wrap=True)
    parameters: Json = entry.get("parameters", {}).get("properties", {})
    if not parameters:
        return
    required = entry["parameters"].get("required", [])
    table = Table(Column("parameter", no_wrap=True), "type", "default", "what it is")
    for parameter, schema in parameters.items():
        default = "required" if parameter in required else json.dumps(schema.get("default"))
        table.add_row(parameter, _type(schema), default, Text(schema.get("description", "")))
    console.print(table)


def _type(schema: Json) -> str:
    """Return the type of a parameter with its bounds."""
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(map(json.dumps, schema["enum"]))
    bounds = [f"{sign} {schema[key]}" for key, sign in BOUNDS.items() if key in schema]
    kind = schema.get("type", "any")
    if kind == "array":
        kind = f"list of {_type(schema.get('items', {}))}"
    return " ".join([str(kind), *bounds[:1], *(f"and {bound}" for bound in bounds[1:])])
