"""Events of jobs, numbered in order."""

import sqlalchemy as sa

from shared.tables.columns import BigInt, UtcTime, job_id, metadata

events = sa.Table(
    "events",
    metadata,
    job_id(primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("type", sa.String(32), nullable=False),
    sa.Column("step", BigInt),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
)
