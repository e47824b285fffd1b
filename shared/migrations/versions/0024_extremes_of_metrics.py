"""The lowest and the highest value of each metric of ended jobs."""

import math

import sqlalchemy as sa
from alembic import op

from shared import tables

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

#: Of the jobs that have ended so far.
FILL = """
INSERT INTO extremes (job_id, name, lowest, lowest_step, lowest_epoch, highest, highest_step,
    highest_epoch)
SELECT bounds.job_id, bounds.name,
    bounds.lowest,
    min(CASE WHEN metrics.value = bounds.lowest THEN metrics.step END),
    min(CASE WHEN metrics.value = bounds.lowest THEN metrics.epoch END),
    bounds.highest,
    min(CASE WHEN metrics.value = bounds.highest THEN metrics.step END),
    min(CASE WHEN metrics.value = bounds.highest THEN metrics.epoch END)
FROM (
    SELECT metrics.job_id, metrics.name, min(metrics.value) AS lowest, max(metrics.value) AS highest
    FROM metrics JOIN jobs ON jobs.id = metrics.job_id
    WHERE jobs.state IN ('succeeded', 'failed', 'cancelled')
        AND metrics.value < :infinity AND metrics.value > -:infinity
    GROUP BY metrics.job_id, metrics.name
) AS bounds
JOIN metrics ON metrics.job_id = bounds.job_id AND metrics.name = bounds.name
GROUP BY bounds.job_id, bounds.name, bounds.lowest, bounds.highest
"""


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "extremes",
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("lowest", sa.Double(), nullable=False),
        sa.Column("lowest_step", tables.BigInt, nullable=False),
        sa.Column("lowest_epoch", sa.Integer(), nullable=False),
        sa.Column("highest", sa.Double(), nullable=False),
        sa.Column("highest_step", tables.BigInt, nullable=False),
        sa.Column("highest_epoch", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_extremes_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "name", name=op.f("pk_extremes")),
    )
    infinity = sa.bindparam("infinity", math.inf, type_=sa.Double())
    op.get_bind().execute(sa.text(FILL).bindparams(infinity))


def downgrade() -> None:
    """Revert."""
    op.drop_table("extremes")
