"""Result files of jobs."""

import sqlalchemy as sa

from shared.tables.columns import BigInt, Id, UtcTime, job_id, metadata

artifacts = sa.Table(
    "artifacts",
    metadata,
    sa.Column("id", Id, primary_key=True),
    job_id(nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("path", sa.String(255), nullable=False),
    sa.Column("media_type", sa.String(128), nullable=False),
    sa.Column("bytes", BigInt, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Index("uq_artifacts_job_name", "job_id", "name", unique=True),
)
