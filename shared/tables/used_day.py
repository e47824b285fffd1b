"""The device time of each person by day, which limits for a week count."""

import sqlalchemy as sa

from shared.tables.columns import metadata

#: Kept when jobs are deleted.
used_days = sa.Table(
    "used_days",
    metadata,
    sa.Column("owner", sa.String(64), primary_key=True),
    #: In UTC, such as 2026-11-27.
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("device_seconds", sa.Double, nullable=False),
    #: The part of it that jobs of high priority used.
    sa.Column("high_device_seconds", sa.Double, nullable=False),
)
