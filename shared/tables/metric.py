"""Values of metrics."""

import sqlalchemy as sa

from shared.tables.columns import BigInt, Measured, UtcTime, job_id, metadata

metrics = sa.Table(
    "metrics",
    metadata,
    #: Never reused: the tracking process remembers the last id that it sent.
    sa.Column("id", BigInt, primary_key=True, autoincrement=True),
    job_id(nullable=False),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("split", sa.String(16)),
    sa.Column("stage", sa.String(64), nullable=False),
    sa.Column("step", BigInt, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("value", Measured),
    sa.Column("at", UtcTime, nullable=False),
    sa.Index("uq_metrics_point", "job_id", "name", "stage", "step", unique=True),
    sqlite_autoincrement=True,
)
