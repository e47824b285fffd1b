"""How a specification or an address names a checkpoint beside by its id."""

from collections.abc import Iterable
from typing import Any

Row = dict[str, Any]


def name_of(row: Row) -> str:
    """`last`, `initial`, `best_<monitor>`, or `epoch_<n>` for one of a series."""
    if row["kind"] == "best":
        return f"best_{row['monitor']}"
    return f"epoch_{row['epoch']}" if row["kind"] == "series" else row["kind"]


def find(rows: Iterable[Row], name: str) -> Row | None:
    """The checkpoint of this id or name; what is kept for safety only has no name."""
    return next(
        (row for row in rows if row["kind"] != "previous" and name in {row["id"], name_of(row)}),
        None,
    )


def names(rows: Iterable[Row]) -> str:
    """The names there are, as a text for people."""
    found = dict.fromkeys(name_of(row) for row in rows if row["kind"] != "previous")
    return ", ".join(found) or "none yet"
