"""Jobs whose rows can be read only in part."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.errors import RowUnreadable
from shared.jobs.rows import JobRow
from shared.jobs.stored_row import accepted_types

#: What stands in a column that cannot be read, where it cannot be None.
SUBSTITUTES: dict[type, Any] = {
    str: "",
    int: 0,
    float: 0.0,
    dict: {},
    list: [],
    datetime: datetime(1980, 1, 1, tzinfo=UTC),
}


@dataclass(frozen=True, kw_only=True)
class UnreadableJobRow(JobRow):
    """A job of which some columns cannot be read; they are None or empty.

    Its state, if that cannot be read, is none of the states. A specification of another version
    is kept as it is stored.
    """

    #: What is wrong, by column.
    unreadable_columns: dict[str, str]

    def require(self, column: str) -> None:
        """Check that a column can be read.

        Raises:
            RowUnreadable: it cannot.
        """
        if column in self.unreadable_columns:
            raise self.error(column)

    def error(self, column: str | None = None) -> RowUnreadable:
        """Return the error that names a column; by default the first."""
        faults = self.unreadable_columns
        return self.unreadable(vars(self), faults if column is None else {column: faults[column]})


def read_in_part(columns: Mapping[Any, Any]) -> JobRow:
    """Return a job, or what of it can be read as an `UnreadableJobRow`."""
    faults = JobRow.faults(columns)
    if not faults:
        return JobRow.read(columns)
    values = {name: columns[name] for name in accepted_types(JobRow)}
    for name, types in accepted_types(JobRow).items():
        is_kept = name == "spec" and type(values.get(name)) is dict
        if name in faults and not is_kept:
            substitute = next((SUBSTITUTES[kind] for kind in types if kind in SUBSTITUTES), None)
            values[name] = None if type(None) in types else substitute
    return UnreadableJobRow(**values, unreadable_columns=faults)


def require(job: JobRow, column: str) -> None:
    """Check that a column of a job can be read.

    Raises:
        RowUnreadable: it cannot.
    """
    if isinstance(job, UnreadableJobRow):
        job.require(column)
