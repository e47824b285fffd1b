"""counted batches, and retries found by their origin."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # With a default of the database: a worker of the version before still adds attempts.
    column = sa.Column("batches", sa.Integer(), server_default="0", nullable=False)
    op.add_column("attempts", column)
    op.create_index(
        "ix_jobs_retry_of",
        "jobs",
        ["retry_of"],
        postgresql_where=sa.text("retry_of IS NOT NULL"),
        sqlite_where=sa.text("retry_of IS NOT NULL"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_jobs_retry_of", "jobs")
    op.drop_column("attempts", "batches")
