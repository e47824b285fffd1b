"""All devices of an attempt, of which there may be several."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; of an attempt of before, only the first device is known."""
    op.add_column("attempts", sa.Column("devices", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Revert."""
    op.drop_column("attempts", "devices")
