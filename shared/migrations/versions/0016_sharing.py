"""What the plan reads and what is charged: predictions of jobs, charges, the ledger."""

import sqlalchemy as sa
from alembic import op

from shared import tables
from shared.clock import now

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

HALF_LIFE_SECONDS = 86_400.0


def upgrade() -> None:
    """Apply."""
    for column in (
        sa.Column("eligible_at", tables.UtcTime(timezone=True), nullable=True),
        sa.Column("memory_mib", sa.Double(), server_default="0", nullable=False),
        sa.Column("seconds_p50", sa.Double(), nullable=True),
        sa.Column("seconds_p90", sa.Double(), nullable=True),
    ):
        op.add_column("jobs", column)
    op.create_index(
        "ix_jobs_waiting_of_owner",
        "jobs",
        ["owner", sa.literal_column("priority DESC"), "id"],
        postgresql_where=sa.text("state='queued'"),
        sqlite_where=sa.text("state='queued'"),
    )
    for column in (
        sa.Column("charged_until", tables.UtcTime(timezone=True), nullable=True),
        sa.Column("device_seconds", sa.Double(), server_default="0", nullable=False),
    ):
        op.add_column("attempts", column)
    op.create_index(
        "ix_attempts_uncharged",
        "attempts",
        ["job_id", "number"],
        postgresql_where=sa.text("charged_until < ended_at"),
        sqlite_where=sa.text("charged_until < ended_at"),
    )
    memory = sa.Column("memory_mib", sa.Double(), server_default="0", nullable=False)
    op.add_column("live", memory)
    ledger = op.create_table(
        "ledger",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("begins_at", tables.UtcTime(timezone=True), nullable=False),
        sa.Column("half_life_seconds", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger")),
    )
    first = {"id": 1, "begins_at": now(), "half_life_seconds": HALF_LIFE_SECONDS}
    op.bulk_insert(ledger, [first])


def downgrade() -> None:
    """Revert."""
    op.drop_table("ledger")
    op.drop_column("live", "memory_mib")
    op.drop_index("ix_attempts_uncharged", table_name="attempts")
    for name in ("device_seconds", "charged_until"):
        op.drop_column("attempts", name)
    op.drop_index("ix_jobs_waiting_of_owner", table_name="jobs")
    for name in ("seconds_p90", "seconds_p50", "memory_mib", "eligible_at"):
        op.drop_column("jobs", name)
