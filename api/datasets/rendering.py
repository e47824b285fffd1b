"""Data sets as the API shows them."""

from pathlib import Path
from typing import Any

from shared.clock import rfc3339
from shared.datasets import FACTS, is_available, list_tables
from shared.uploaded_datasets import DatasetRow

#: What the check of an upload finds; null until it has ended.
FOUND = (
    *("kind", "task", "images", "image_sizes", "channels", "mean", "std"),
    *("target", "features"),
)


def built_in_json(name: str, home: Path) -> dict[str, Any]:
    """Return a built-in data set."""
    return {
        "id": name,
        "object": "dataset",
        **FACTS[name].as_json(),
        "is_available": is_available(name, home),
        **({"files": list_tables(home)} if FACTS[name].kind == "table" else {}),
    }


def uploaded_json(row: DatasetRow) -> dict[str, Any]:
    """Return a version of an uploaded data set."""
    report = row.report or {}
    return {
        "id": row.id,
        "object": "dataset",
        "name": row.name,
        "version": row.version,
        "content_hash": row.content_hash,
        "state": row.state,
        "owner": row.owner,
        "bytes": row.bytes,
        **{field: report.get(field) for field in FOUND},
        "classes": report.get("classes", []),
        "warnings": report.get("warnings", []),
        "rejected": report.get("rejected", []),
        "created_at": rfc3339(row.created_at),
    }
