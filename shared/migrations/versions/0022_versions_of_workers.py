"""The version of each worker: the hosts of a box must run the same."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("workers", sa.Column("version", sa.String(64), nullable=True))


def downgrade() -> None:
    """Revert."""
    op.drop_column("workers", "version")
