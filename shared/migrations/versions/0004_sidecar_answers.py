"""sidecar answers take the place of desk answers; the table is a cache and starts empty."""

import sqlalchemy as sa
from alembic import op

from shared import tables

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.drop_table("desk_answers")
    _create("sidecar_answers")


def downgrade() -> None:
    """Take back."""
    op.drop_table("sidecar_answers")
    _create("desk_answers")


def _create(name: str) -> None:
    op.create_table(
        name,
        sa.Column("question", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("created_at", tables.UtcTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("question", name=op.f(f"pk_{name}")),
    )
