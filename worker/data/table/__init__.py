"""Tables as data sets: a CSV or parquet file with feature columns and a target column."""

from worker.data.table.faults import TableRefused
from worker.data.table.reading import Table, as_dataset, read_table

__all__ = ["Table", "TableRefused", "as_dataset", "read_table"]
