"""The device time of each person by day, for limits of a week."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "used_days",
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("device_seconds", sa.Double(), nullable=False),
        sa.Column("high_device_seconds", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "day", name=op.f("pk_used_days")),
    )


def downgrade() -> None:
    """Revert."""
    op.drop_table("used_days")
