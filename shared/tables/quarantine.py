"""Jobs whose rows cannot be read."""

import sqlalchemy as sa

from shared.tables.columns import UtcTime, job_id, metadata

#: The queue passes these jobs until their rows can be read again.
quarantine = sa.Table(
    "quarantine",
    metadata,
    job_id(primary_key=True),
    #: What is wrong, by column.
    sa.Column("faults", sa.JSON, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
)
