"""The lowest and the highest value of each metric of ended jobs."""

import sqlalchemy as sa

from shared.tables.columns import BigInt, job_id, metadata

#: Written at the end of a job, whose values do not change any more. A job without rows here has
#: its values in `metrics` alone.
extremes = sa.Table(
    "extremes",
    metadata,
    job_id(primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("lowest", sa.Double, nullable=False),
    #: Where it occurred first.
    sa.Column("lowest_step", BigInt, nullable=False),
    sa.Column("lowest_epoch", sa.Integer, nullable=False),
    sa.Column("highest", sa.Double, nullable=False),
    sa.Column("highest_step", BigInt, nullable=False),
    sa.Column("highest_epoch", sa.Integer, nullable=False),
)
