"""The target column of uploaded tables."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("datasets", sa.Column("target", sa.String(length=200), nullable=True))


def downgrade() -> None:
    """Revert."""
    with op.batch_alter_table("datasets") as table:
        table.drop_column("target")
