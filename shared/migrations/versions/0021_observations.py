"""What ended attempts have shown about times and memory, and what was predicted of a job."""

import sqlalchemy as sa
from alembic import op

from shared import tables

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

WAITING = sa.text("state='queued'")


def upgrade() -> None:
    """Apply."""
    op.add_column("jobs", sa.Column("cost_kind", sa.String(64), nullable=True))
    op.add_column("jobs", sa.Column("estimate", sa.JSON(), nullable=True))
    op.create_index(
        "ix_jobs_waiting_of_kind",
        "jobs",
        ["cost_kind", "id"],
        postgresql_where=WAITING,
        sqlite_where=WAITING,
    )
    op.create_table(
        "observations",
        sa.Column("id", tables.BigInt, autoincrement=True, nullable=False),
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("family", sa.String(100), nullable=False),
        sa.Column("device_model", sa.String(128), nullable=False),
        sa.Column("size", sa.Double(), nullable=False),
        sa.Column("ended_at", tables.UtcTime(timezone=True), nullable=False),
        sa.Column("pass_seconds", sa.Double(), nullable=True),
        sa.Column("overhead_seconds", sa.Double(), nullable=True),
        sa.Column("fraction", sa.Double(), nullable=True),
        sa.Column("sharers", sa.Integer(), server_default="1", nullable=False),
        sa.Column("peak_memory_mib", sa.Double(), nullable=True),
        sa.Column("network_mib", sa.Double(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("basis", sa.String(16), nullable=True),
        sa.Column("predicted_p50", sa.Double(), nullable=True),
        sa.Column("predicted_p90", sa.Double(), nullable=True),
        sa.Column("predicted_sigma", sa.Double(), nullable=True),
        sa.Column("memory_basis", sa.String(16), nullable=True),
        sa.Column("predicted_memory_mib", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observations")),
        sa.UniqueConstraint("job_id", "attempt", name=op.f("uq_observations_job_id")),
    )
    for column in ("kind", "family", "basis"):
        op.create_index(f"ix_observations_{column}", "observations", [column, "id"])


def downgrade() -> None:
    """Revert."""
    op.drop_table("observations")
    op.drop_index("ix_jobs_waiting_of_kind", table_name="jobs")
    for name in ("estimate", "cost_kind"):
        op.drop_column("jobs", name)
