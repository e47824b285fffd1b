"""Warnings of jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # With a default of the database: an API of the version before still adds jobs.
    column = sa.Column("warnings", sa.JSON(), server_default="[]", nullable=False)
    op.add_column("jobs", column)


def downgrade() -> None:
    """Revert."""
    op.drop_column("jobs", "warnings")
