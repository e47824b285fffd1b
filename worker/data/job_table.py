"""The table that a job trains on: a file among the tables of this box, or an upload."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.datasets import TABLE
from worker.data.dataset import Dataset
from worker.data.errors import DatasetMissing
from worker.data.uploaded import find_upload

CHANGED = "its content has changed since the job was submitted"


def table_file(name: str, file: str | None, *, data_dir: Path) -> Path:
    """Return the path of a table.

    Args:
        name: of the data set; of an upload with its version.
        file: its file among the tables of this box; None for an upload.
        data_dir: `data` of the home directory.

    Raises:
        DatasetMissing: the upload was deleted, or has changed since its check.
    """
    if file is not None:
        return data_dir / TABLE.name / file
    return find_upload(data_dir.parent, name)[0]


def load_table(dataset: Mapping[str, Any], *, data_dir: Path, is_number: bool) -> Dataset:
    """Read the table of a filled specification.

    Args:
        dataset: the field `dataset` of the specification.
        data_dir: `data` of the home directory.
        is_number: whether the target is a number, not a class.

    Raises:
        DatasetMissing: it was deleted, or has changed since the job was submitted.
    """
    # pyarrow takes a fifth of a second to import; other data sets do not need it
    from worker.data.table import TableRefused, as_dataset, read_table  # noqa: PLC0415

    name, file = dataset["name"], dataset.get("file")
    source = file or name
    try:
        table = read_table(
            table_file(name, file, data_dir=data_dir),
            target=dataset["target"],
            features=dataset["features"],
            is_number=is_number,
        )
    except TableRefused as error:
        raise DatasetMissing(name, [(source, str(error))], "Submit the job again.") from error
    if dataset.get("content_hash") not in (None, table.content_hash):
        hint = "Put the previous file back, or submit the job again."
        raise DatasetMissing(name, [(source, CHANGED)], hint)
    return as_dataset(table, name)
