"""Jobs that give way to waiting jobs: the request, and what a switch takes."""

import sqlalchemy as sa
from alembic import op

from shared import tables

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    for column in (
        sa.Column("stepped_at", tables.UtcTime(timezone=True), nullable=True),
        sa.Column("yield_requested_at", tables.UtcTime(timezone=True), nullable=True),
        sa.Column("yields_to", sa.String(40), nullable=True),
    ):
        op.add_column("live", column)
    op.add_column("attempts", sa.Column("switch_seconds", sa.Double(), nullable=True))


def downgrade() -> None:
    """Revert."""
    op.drop_column("attempts", "switch_seconds")
    for name in ("yields_to", "yield_requested_at", "stepped_at"):
        op.drop_column("live", name)
