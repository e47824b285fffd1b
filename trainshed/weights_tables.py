"""Tables of uploaded weights for people."""

from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from trainshed.escaping import escaped
from trainshed.formatting import file_size, timestamp

Json = dict[str, Any]


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
