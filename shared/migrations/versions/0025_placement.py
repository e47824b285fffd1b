"""The model of the GPU on which a job continues bit for bit."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; jobs that wait now continue on any device, as before."""
    op.add_column("jobs", sa.Column("placement", sa.String(128), nullable=True))
    op.add_column(
        "jobs",
        sa.Column("allow_inexact", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    """Revert."""
    op.drop_column("jobs", "allow_inexact")
    op.drop_column("jobs", "placement")
