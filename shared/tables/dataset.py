"""Uploaded data sets, one row per version."""

import sqlalchemy as sa

from shared.tables.columns import BigInt, Id, UtcTime, metadata

#: The content of a version never changes. Its check fills in `content_hash` and `report`.
datasets = sa.Table(
    "datasets",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("owner", sa.String(64), nullable=False),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("bytes", BigInt, nullable=False),
    sa.Column("skip_bad", sa.Boolean, nullable=False),
    sa.Column("target", sa.String(200)),
    sa.Column("path", sa.Text),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("content_hash", sa.String(71)),
    sa.Column("report", sa.JSON(none_as_null=True)),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.UniqueConstraint("name", "version", name="uq_datasets_name"),
    sa.Index("ix_datasets_state", "state", "id"),
)
