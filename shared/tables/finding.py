"""Findings of jobs, and the states from which a resumed attempt continues to watch."""

import sqlalchemy as sa

from shared.tables.columns import BigInt, Id, job_id, metadata

findings = sa.Table(
    "findings",
    metadata,
    sa.Column("id", Id, primary_key=True),
    job_id(nullable=False),
    sa.Column("rule", sa.String(64), nullable=False),
    sa.Column("stage", sa.String(64), nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("first_step", BigInt, nullable=False),
    sa.Column("last_step", BigInt, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    #: The finding that explains this finding.
    sa.Column("because_of", Id),
    #: `sentence`, `layers`, `evidence`, `explanation`, `reasons`, `patches` and `next`.
    sa.Column("data", sa.JSON, nullable=False),
    sa.Index("uq_findings_rule", "job_id", "rule", "stage", unique=True),
)

#: What the watch of a job knows at a checkpoint, so that a resumed attempt finds the same.
watches = sa.Table(
    "watches",
    metadata,
    job_id(primary_key=True),
    sa.Column("step", BigInt, primary_key=True),
    sa.Column("epoch", sa.Integer, primary_key=True),
    sa.Column("data", sa.JSON, nullable=False),
)
