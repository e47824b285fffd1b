"""The rows of uploaded weights. The files lie in the storage; a row is there only once they do."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared import tables

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One file of weights."""

    id: str
    owner: str
    name: str
    bytes: int
    sha256: str
    tensors: int
    #: Elements of all tensors together.
    parameters: int
    created_at: datetime


def add(connection: sa.Connection, upload: Upload) -> None:
    """Write the row of a file that is in its place."""
    connection.execute(sa.insert(tables.weights), asdict(upload))


def get(connection: sa.Connection, weights_id: str) -> Row | None:
    """One upload, or None."""
    query = sa.select(tables.weights).where(tables.weights.c.id == weights_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else dict(row)


def page(connection: sa.Connection, *, limit: int, after: str | None) -> list[Row]:
    """At most `limit` uploads, newest first, past the id `after`."""
    uploads = tables.weights.c
    query = sa.select(tables.weights).order_by(uploads.id.desc()).limit(limit)
    if after is not None:
        query = query.where(uploads.id < after)
    return [dict(row) for row in connection.execute(query).mappings()]


def remove(connection: sa.Connection, weights_id: str) -> bool:
    """Drop the row; False if there was none."""
    gone = connection.execute(sa.delete(tables.weights).where(tables.weights.c.id == weights_id))
    return bool(gone.rowcount)
