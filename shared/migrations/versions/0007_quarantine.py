"""Jobs whose rows cannot be read."""

import sqlalchemy as sa
from alembic import op

from shared import tables

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "quarantine",
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("faults", sa.JSON(), nullable=False),
        sa.Column("at", tables.UtcTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_quarantine_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_quarantine")),
    )


def downgrade() -> None:
    """Revert."""
    op.drop_table("quarantine")
