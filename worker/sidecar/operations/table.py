"""`table`: the rows, columns and classes of a table on this box."""

import difflib
from pathlib import Path
from typing import Any

from shared import datasets
from shared.settings import Settings
from worker.data.errors import DatasetMissing
from worker.data.job_table import table_file
from worker.sidecar.request import Operation, RequestRefused, Subject, fault


def table(request: dict[str, Any]) -> dict[str, Any]:
    """Return the number of rows, the features, the classes and the content hash of a table.

    Also returns `warnings`: what is allowed and probably a mistake, as `{pointer, detail,
    suggestion}`.

    Args:
        request: name, file (null for an upload), target, features (null for all columns but the
            target and the index), is_number.

    Raises:
        RequestRefused: with every reason why a job cannot use the table like this.
    """
    from worker.data.table import TableRefused, read_table  # noqa: PLC0415 - loads pyarrow

    home, file = Settings().home, request["file"]
    try:
        content = read_table(
            table_file(request["name"], file, data_dir=home / "data"),
            target=request["target"],
            features=request["features"],
            is_number=request["is_number"],
        )
    except TableRefused as error:
        faults = [fault(_pointer(each.field), each.detail) for each in error.faults]
        raise RequestRefused(*faults) from error
    except DatasetMissing as error:
        missing = str(error) if file is None else _missing(file, home)
        raise RequestRefused(fault("/dataset/file", missing)) from error
    return {
        "rows": len(content.values),
        "features": list(content.features),
        "classes": list(content.class_names),
        "content_hash": content.content_hash,
        "warnings": [
            {
                "pointer": _pointer(warning.field),
                "detail": warning.detail,
                "suggestion": warning.suggestion,
            }
            for warning in content.warnings
        ],
    }


def _pointer(field: str) -> str:
    return f"/dataset/{field}"


def _missing(file: str, home: Path) -> str:
    files = datasets.list_tables(home)
    nearest = difflib.get_close_matches(file, files, n=1)
    hint = f" Did you mean `{nearest[0]}`?" if nearest else ""
    available = ", ".join(f"`{name}`" for name in files) or "none yet"
    return f"`{file}` is not among the tables of this box.{hint} Available: {available}"


TABLE = Operation(
    table,
    processes=3,
    # Less than the time that a client waits.
    cpu_seconds=3,
    is_background=True,
    subject=Subject("/dataset/file", "read the table", "Use a smaller table."),
)
