"""Numbers in the rows of jobs that count something, and stay usable after a hand changed them."""

import sqlalchemy as sa

from shared import tables
from shared.jobs.stored_row import MAX_COUNT


def is_count(column: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Return the condition that a column is a count; in SQLite it may hold anything."""
    return column.between(0, MAX_COUNT)


def usable(column: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    """Return a count, or 0 where the column is no count."""
    return sa.case((is_count(column), column), else_=0)


def next_revision() -> sa.ColumnElement[int]:
    """Return the next number of a job's changes."""
    return usable(tables.jobs.c.revision) + 1
