"""Deleted jobs whose files are still on the disk."""

import sqlalchemy as sa
from alembic import op

from shared import tables

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "deletions",
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("deleted_at", tables.UtcTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_deletions")),
    )


def downgrade() -> None:
    """Revert."""
    op.drop_table("deletions")
