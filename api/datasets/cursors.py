"""Cursors of the lists of data sets: the `id` of the last entry of the page before."""

import sqlalchemy as sa

from shared import uploaded_datasets
from shared.errors import BadRequest


def position(
    connection: sa.Connection, after: str, *, only_owner: str | None, of: str | None = None
) -> tuple[str, int]:
    """Return the name and the version of an upload that a page begins after.

    Args:
        connection: of the database.
        after: the cursor.
        only_owner: the only person whose data sets the caller may read; None for all.
        of: the name that the upload must have; None for any.

    Raises:
        BadRequest: it is no id, or that of a version that was deleted since.
    """
    found = uploaded_datasets.position(connection, after, only_owner=only_owner)
    if found is None or of not in {None, found[0]}:
        raise BadRequest(
            f"`after` is {after[:100]!r}, which is not the `id` of a data set of this list; begin "
            "again with the first page if it was deleted."
        )
    return found
