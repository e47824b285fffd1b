"""What an attempt was charged, so that a refund gives back just that."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; an attempt of before counts as charged at the rate of normal priority."""
    column = sa.Column("charged_seconds", sa.Double(), server_default="0", nullable=False)
    op.add_column("attempts", column)
    op.execute("UPDATE attempts SET charged_seconds = device_seconds")


def downgrade() -> None:
    """Revert."""
    op.drop_column("attempts", "charged_seconds")
