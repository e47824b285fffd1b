"""Findings of jobs, and forks."""

import sqlalchemy as sa
from alembic import op

from shared import tables

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

NO_FINDINGS = '{"error": 0, "warning": 0, "info": 0}'


def upgrade() -> None:
    """Apply."""
    # With a default of the database: an API of the version before still adds jobs.
    op.add_column(
        "jobs", sa.Column("findings", sa.JSON(), server_default=NO_FINDINGS, nullable=False)
    )
    op.add_column("jobs", sa.Column("headline", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("forked_from", sa.String(length=40), nullable=True))
    op.create_table(
        "findings",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.String(length=64), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("first_step", tables.BigInt, nullable=False),
        sa.Column("last_step", tables.BigInt, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("because_of", sa.String(length=40), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_findings_job_id_jobs"), ondelete="CASCADE"
        ),
    )
    op.create_index("uq_findings_rule", "findings", ["job_id", "rule", "stage"], unique=True)
    op.create_table(
        "watches",
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("step", tables.BigInt, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "step", "epoch", name=op.f("pk_watches")),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_watches_job_id_jobs"), ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    """Revert."""
    op.drop_table("watches")
    op.drop_table("findings")
    for name in ("forked_from", "headline", "findings"):
        op.drop_column("jobs", name)
