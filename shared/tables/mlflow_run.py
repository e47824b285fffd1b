"""The runs of MLflow, each a copy of a job."""

import sqlalchemy as sa

from shared.tables.columns import BigInt, job_id, metadata

#: How much of each job has been sent to MLflow.
tracking = sa.Table(
    "tracking",
    metadata,
    job_id(primary_key=True),
    sa.Column("run_id", sa.String(64)),
    sa.Column("last_metric_id", BigInt, nullable=False),
    sa.Column("is_complete", sa.Boolean, nullable=False),
    sa.Column("error", sa.Text),
)
