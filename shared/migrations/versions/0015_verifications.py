"""Jobs that check a patch, and the jobs whose weights another job starts from."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from shared import tables

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

AWAITING = sa.text("awaits_verification")
FORKED = sa.text("forked_from IS NOT NULL")
WITH_WEIGHTS = sa.text("weights_job IS NOT NULL")
UNDECIDED = sa.text("verdict IS NULL")


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "jobs", sa.Column("kind", sa.String(length=16), nullable=False, server_default="training")
    )
    op.add_column("jobs", sa.Column("epoch_limit", sa.Integer(), nullable=True))
    op.add_column(
        "jobs",
        sa.Column("awaits_verification", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("jobs", sa.Column("weights_job", sa.String(length=40), nullable=True))
    for name, column, condition in (
        ("ix_jobs_forked_from", "forked_from", FORKED),
        ("ix_jobs_weights_job", "weights_job", WITH_WEIGHTS),
        ("ix_jobs_awaiting_verification", "id", AWAITING),
    ):
        op.create_index(name, "jobs", [column], postgresql_where=condition, sqlite_where=condition)
    _fill()
    op.create_table(
        "verifications",
        sa.Column("patch_id", sa.String(length=40), nullable=False),
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("finding_id", sa.String(length=40), nullable=False),
        sa.Column("fork_id", sa.String(length=40), nullable=False),
        sa.Column("null_id", sa.String(length=40), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("gain", sa.Double(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("created_at", tables.UtcTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
            name=op.f("fk_verifications_job_id_jobs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("patch_id", name=op.f("pk_verifications")),
    )
    op.create_index("ix_verifications_job_id", "verifications", ["job_id"])
    op.create_index(
        "ix_verifications_undecided",
        "verifications",
        ["patch_id"],
        postgresql_where=UNDECIDED,
        sqlite_where=UNDECIDED,
    )


def downgrade() -> None:
    """Revert."""
    op.drop_table("verifications")
    op.drop_index("ix_jobs_awaiting_verification", "jobs")
    op.drop_index("ix_jobs_weights_job", "jobs")
    op.drop_index("ix_jobs_forked_from", "jobs")
    for column in ("weights_job", "awaits_verification", "epoch_limit", "kind"):
        op.drop_column("jobs", column)


def _fill() -> None:
    """Fill in the kind of analyses, and the sources of weights of jobs that have not ended."""
    connection = op.get_bind()
    connection.execute(
        sa.text("UPDATE jobs SET kind = 'analysis' WHERE id IN (SELECT id FROM analyses)")
    )
    jobs = sa.table("jobs", sa.column("id"), sa.column("spec", sa.JSON), sa.column("weights_job"))
    unfinished = sa.select(jobs.c.id, jobs.c.spec).where(
        sa.text("state NOT IN ('succeeded', 'failed', 'cancelled')")
    )
    for row in connection.execute(unfinished).all():
        source = _source_of_weights(row.spec)
        if source is not None:
            update = sa.update(jobs).where(jobs.c.id == row.id).values(weights_job=source)
            connection.execute(update)


def _source_of_weights(spec: Any) -> str | None:
    for name in ("fine_tuning", "weights", "job"):
        spec = spec.get(name) if isinstance(spec, dict) else None
    return spec if isinstance(spec, str) else None
