"""The rows of uploaded weights. The files lie in the storage; a row is there only once they do."""

from dataclasses import asdict

import sqlalchemy as sa

from shared import tables
from shared.jobs.rows import UploadRow


def add(connection: sa.Connection, upload: UploadRow) -> None:
    """Write the row of a file that is in its place."""
    connection.execute(sa.insert(tables.weights), asdict(upload))


def get(connection: sa.Connection, weights_id: str) -> UploadRow | None:
    """One upload, or None."""
    query = sa.select(tables.weights).where(tables.weights.c.id == weights_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else UploadRow.read(row)


def page(connection: sa.Connection, *, limit: int, after: str | None) -> list[UploadRow]:
    """At most `limit` uploads, newest first, past the id `after`."""
    uploads = tables.weights.c
    query = sa.select(tables.weights).order_by(uploads.id.desc()).limit(limit)
    if after is not None:
        query = query.where(uploads.id < after)
    return UploadRow.read_all(connection.execute(query).mappings())


def remove(connection: sa.Connection, weights_id: str) -> bool:
    """Drop the row; False if there was none."""
    gone = connection.execute(sa.delete(tables.weights).where(tables.weights.c.id == weights_id))
    return bool(gone.rowcount)
