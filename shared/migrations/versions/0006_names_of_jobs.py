"""An index by which a job is found by its name."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_jobs_name", "jobs", ["name", "id"])


def downgrade() -> None:
    """Revert."""
    op.drop_index("ix_jobs_name", "jobs")
