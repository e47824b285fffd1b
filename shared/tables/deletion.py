"""Deleted jobs whose files are still on the disk."""

import sqlalchemy as sa

from shared.tables.columns import Id, UtcTime, metadata

#: Written in the transaction that deletes the rows, so that a crash after it leaves no files.
deletions = sa.Table(
    "deletions",
    metadata,
    #: Of the job, which has no row any more. Its directory in the storage has this name.
    sa.Column("job_id", Id, primary_key=True),
    sa.Column("deleted_at", UtcTime, nullable=False),
)
