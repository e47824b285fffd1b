"""Uploaded weights."""

import sqlalchemy as sa

from shared.tables.columns import BigInt, Id, UtcTime, metadata

#: Uploaded files with which fine-tuning can start.
weights = sa.Table(
    "weights",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("owner", sa.String(64), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("bytes", BigInt, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("tensors", sa.Integer, nullable=False),
    sa.Column("parameters", BigInt, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)
