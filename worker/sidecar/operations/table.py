"""`table`: the rows, columns and classes of a table on this box."""

from typing import Any

from shared import datasets
from shared.settings import Settings
from worker.data.errors import DatasetMissing
from worker.sidecar.request import Operation, RequestRefused, fault


def table(request: dict[str, Any]) -> dict[str, Any]:
    """Return the number of rows, the features, the classes and the content hash of a table.

    Args:
        request: file, target, features (null for all other columns), is_number.

    Raises:
        RequestRefused: a job cannot use the table like this.
    """
    from worker.data.table import TableRefused, read_table  # noqa: PLC0415 - loads pyarrow

    home, file = Settings().home, request["file"]
    try:
        content = read_table(
            home / "data" / datasets.TABLE.name / file,
            target=request["target"],
            features=request["features"],
            is_number=request["is_number"],
        )
    except TableRefused as error:
        raise RequestRefused(fault(f"/dataset/{error.field}", error)) from error
    except DatasetMissing as error:
        available = ", ".join(datasets.list_tables(home)) or "none yet"
        text = f"{file} is not among the tables of this box. Available: {available}."
        raise RequestRefused(fault("/dataset/file", text)) from error
    return {
        "rows": len(content.values),
        "features": list(content.features),
        "classes": list(content.class_names),
        "content_hash": content.content_hash,
    }


TABLE = Operation(
    table,
    too_slow=fault("/dataset/file", "The table takes too long to read. Use a smaller table."),
)
