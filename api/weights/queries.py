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


def owner_of(connection: sa.Connection, weights_id: str) -> str | None:
    """Return the owner of an upload, even if its row cannot be read; None if there is none."""
    query = sa.select(tables.weights.c.owner).where(tables.weights.c.id == weights_id)
    return connection.execute(query).scalar_one_or_none()


def page(
    connection: sa.Connection, *, limit: int, after: str | None, only_owner: str | None
) -> tuple[list[UploadRow], bool]:
    """Return at most `limit` uploads after the id `after`, newest first, and if there are more.

    Uploads whose rows cannot be read are left out, and uploads of others than `only_owner`.
    """
    uploads = tables.weights.c
    query = sa.select(tables.weights).order_by(uploads.id.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(uploads.id < after)
    if only_owner is not None:
        query = query.where(uploads.owner == only_owner)
    rows = connection.execute(query).mappings().all()
    return UploadRow.read_all(rows[:limit]), len(rows) > limit


def delete(connection: sa.Connection, weights_id: str) -> None:
    """Delete the row, if it exists."""
    connection.execute(sa.delete(tables.weights).where(tables.weights.c.id == weights_id))
