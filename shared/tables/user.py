"""The people who share the box."""

import sqlalchemy as sa

from shared.tables.columns import UtcTime, metadata

users = sa.Table(
    "users",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    #: `viewer`, `member` or `admin`.
    sa.Column("role", sa.String(16), nullable=False),
    #: The share of the box, relative to the others.
    sa.Column("weight", sa.Double, nullable=False, server_default="1"),
    #: Used device-seconds, inflated so that their order never changes with time.
    sa.Column("usage", sa.Double, nullable=False, server_default="0"),
    sa.Column("last_start_at", UtcTime),
    #: Limits of this person, which replace the limits of the settings.
    sa.Column("limits", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("disabled_at", UtcTime),
)
