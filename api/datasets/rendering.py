"""Data sets as the API shows them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.clock import rfc3339
from shared.dataset_reports import of_built_in
from shared.datasets import FACTS, DatasetFacts, is_available, list_tables
from shared.uploaded_datasets import DatasetRow

#: What the check of an upload finds; null until it has ended.
FOUND = (
    *("kind", "task", "images", "image_sizes", "channels", "mean", "std"),
    *("target", "features"),
)
#: Likewise, and empty until then.
LISTED = ("classes", "warnings", "rejected")


def built_in_json(name: str, home: Path) -> dict[str, Any]:
    """Return a built-in data set: it has one version, which nobody owns."""
    facts = FACTS[name]
    return {
        "id": name,
        "name": name,
        "state": "ready",
        **dict.fromkeys(("version", "content_hash", "owner", "bytes", "created_at")),
        **_content(facts, of_built_in(facts)),
        "is_available": is_available(name, home),
        "files": list_tables(home) if facts.kind == "table" else [],
    }


def uploaded_json(row: DatasetRow) -> dict[str, Any]:
    """Return a version of an uploaded data set."""
    return {
        "id": row.id,
        "name": row.name,
        "version": row.version,
        "content_hash": row.content_hash,
        "state": row.state,
        "owner": row.owner,
        "bytes": row.bytes,
        "created_at": rfc3339(row.created_at),
        **_content(row.facts(), row.report or {}),
        "is_available": row.state == "ready",
        "files": [],
    }


def _content(facts: DatasetFacts, report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every data set has: what its check found, and its description."""
    return {
        "object": "dataset",
        **{field: report.get(field) for field in FOUND},
        **{field: report.get(field, []) for field in LISTED},
        **facts.description(),
    }
