"""Tables of analyses for people."""

import json
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from trainshed.escaping import escaped
from trainshed.formatting import file_size, timestamp

Json = dict[str, Any]


def print_analyses(console: Console, analyses: list[Json], *, has_jobs: bool = False) -> None:
    """Print analyses, with the jobs if they are of several."""
    if not analyses:
        console.print("none; `trainshed analyses start JOB KIND` adds one", soft_wrap=True)
        return
    table = Table("kind", "checkpoint", "state", "created (UTC)", Column("id", no_wrap=True))
    if has_jobs:
        table.add_column("job", no_wrap=True)
    for row in escaped(analyses):
        created = timestamp(row["created_at"])
        cells = row["kind"], row["checkpoint_name"], _state(row), created, row["id"]
        table.add_row(*cells, *([row["job"]] if has_jobs else []))
    console.print(table)


def print_analysis(console: Console, analysis: Json) -> None:
    """Print an analysis: its state, what it found in sentences, and its files."""
    row = escaped(analysis)
    about = f"{row['kind']} of {row['checkpoint_name']} of {row['job']}: {_state(row)}"
    console.print(Text(about), soft_wrap=True)
    given = ", ".join(f"{name} {json.dumps(value)}" for name, value in row["parameters"].items())
    console.print(Text(f"parameters: {given}"), soft_wrap=True)
    if row["failure"] is not None:
        failure = row["failure"]
        text = f"{failure['kind']}: {failure['message']} {failure['hint']}"
        console.print(Text(text), soft_wrap=True)
    for sentence in (row["result"] or {}).get("summary", []):
        console.print(Text(f"• {sentence}"), soft_wrap=True)
    if not row["artifacts"]:
        return
    table = Table(Column("file", no_wrap=True), "size", "type")
    for file in row["artifacts"]:
        table.add_row(file["name"], file_size(file["bytes"]), file["media_type"])
    console.print(table)
    console.print(f"all files: trainshed analyses download {row['id']}", soft_wrap=True)


def _state(row: Json) -> str:
    """Return the state, with the progress of an analysis that runs."""
    progress = row["progress"]
    if row["state"] == "running" and progress is not None:
        return f"running, {progress['fraction']:.0%}"
    return row["state"]
