"""Workers and the leases of their leaders."""

import sqlalchemy as sa

from shared.tables.columns import BigInt, UtcTime, metadata

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("host", sa.String(128), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("seen_at", UtcTime, nullable=False),
    sa.Column("devices", sa.JSON, nullable=False),
    #: Of its code; null for a worker that did not record it.
    sa.Column("version", sa.String(64)),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("holder", sa.String(128), nullable=False),
    sa.Column("beat", BigInt, nullable=False),
)
