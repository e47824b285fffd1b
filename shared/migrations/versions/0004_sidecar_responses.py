"""The cache of the sidecar's responses: renamed, and emptied."""

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
    _create("sidecar_responses", "request", "response")


def downgrade() -> None:
    """Revert."""
    op.drop_table("sidecar_responses")
    _create("desk_answers", "question", "answer")


def _create(name: str, key: str, value: str) -> None:
    op.create_table(
        name,
        sa.Column(key, sa.String(length=64), nullable=False),
        sa.Column(value, sa.JSON(), nullable=False),
        sa.Column("created_at", tables.UtcTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(key, name=op.f(f"pk_{name}")),
    )
