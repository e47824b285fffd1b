"""Jobs that share a device: the memory that each uses, and its share of the charged time."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("live", sa.Column("used_mib", sa.Double(), nullable=True))
    share = sa.Column("share", sa.Double(), server_default="1", nullable=False)
    op.add_column("attempts", share)


def downgrade() -> None:
    """Revert."""
    op.drop_column("attempts", "share")
    op.drop_column("live", "used_mib")
