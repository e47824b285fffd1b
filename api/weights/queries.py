"""The table of uploaded weights. A row exists only while its file is in the storage."""

from dataclasses import asdict

import sqlalchemy as sa

from shared import tables
from shared.jobs.rows import UploadRow


def add(connection: sa.Connection, upload: UploadRow) -> None:
    """Insert the row of a file that is in its final place."""
    connection.execute(sa.insert(tables.weights), asdict(upload))


def get(connection: sa.Connection, weights_id: str) -> UploadRow | None:
    """Return an upload, or None.

    Raises:
        RowUnreadable: its row cannot be read.
    """
    query = sa.select(tables.weights).where(tables.weights.c.id == weights_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else UploadRow.read(row)


def exists(connection: sa.Connection, weights_id: str) -> bool:
    """Return whether there is an upload, even if its row cannot be read."""
    query = sa.select(tables.weights.c.id).where(tables.weights.c.id == weights_id)
    return connection.execute(query).first() is not None


def page(
    connection: sa.Connection, *, limit: int, after: str | None
) -> tuple[list[UploadRow], bool]:
    """Return at most `limit` uploads after the id `after`, newest first, and if there are more.

    Uploads whose rows cannot be read are left out.
    """
    uploads = tables.weights.c
    query = sa.select(tables.weights).order_by(uploads.id.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(uploads.id < after)
    rows = connection.execute(query).mappings().all()
    return UploadRow.read_all(rows[:limit]), len(rows) > limit


def delete(connection: sa.Connection, weights_id: str) -> None:
    """Delete the row, if it exists."""
    connection.execute(sa.delete(tables.weights).where(tables.weights.c.id == weights_id))
