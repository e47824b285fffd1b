"""Jobs, their tags, and the idempotency keys with which they were submitted."""

import sqlalchemy as sa

from shared.states import STATES
from shared.tables.columns import Id, UtcTime, job_id, metadata

NO_FINDINGS = '{"error": 0, "warning": 0, "info": 0}'

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", Id, primary_key=True),
    #: `training`, `verification` (it checks a patch) or `analysis`.
    sa.Column("kind", sa.String(16), nullable=False, server_default="training"),
    sa.Column("owner", sa.String(64), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("phase", sa.String(64)),
    sa.Column("reason", sa.String(64)),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("gpus", sa.Integer, nullable=False),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("notes", sa.Text, nullable=False, server_default=""),
    sa.Column("spec", sa.JSON, nullable=False),
    sa.Column("spec_sha256", sa.String(64), nullable=False),
    sa.Column("warnings", sa.JSON, nullable=False, server_default="[]"),
    #: The number of open findings by severity, and the most important as a sentence.
    sa.Column("findings", sa.JSON, nullable=False, server_default=NO_FINDINGS),
    sa.Column("headline", sa.Text),
    sa.Column("dataset", sa.String(100), nullable=False),
    sa.Column("sweep_id", Id),
    sa.Column("retry_of", Id),
    #: The job whose specification was changed to make this job's.
    sa.Column("forked_from", Id),
    #: The job whose weights fine-tuning starts from.
    sa.Column("weights_job", Id),
    #: The checkpoint of an earlier job from which the first attempt resumes.
    sa.Column("resume_from", Id),
    #: The epoch after which the training ends early.
    sa.Column("epoch_limit", sa.Integer),
    #: Whether a patch is to be checked once the job has ended.
    sa.Column("awaits_verification", sa.Boolean, nullable=False, server_default=sa.false()),
    #: Since when it waits, if it waits again.
    sa.Column("eligible_at", UtcTime),
    #: As planned for: 0 if memory does not decide where it starts.
    sa.Column("memory_mib", sa.Double, nullable=False, server_default="0"),
    #: The model of the GPU of its newest attempt, where it continues bit for bit; and whether it
    #: may continue on another model.
    sa.Column("placement", sa.String(128)),
    sa.Column("allow_inexact", sa.Boolean, nullable=False, server_default=sa.false()),
    #: The predicted duration; null if unknown.
    sa.Column("seconds_p50", sa.Double),
    sa.Column("seconds_p90", sa.Double),
    #: What decides its time, and what was predicted at its submission.
    sa.Column("cost_kind", sa.String(64)),
    sa.Column("estimate", sa.JSON(none_as_null=True)),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("started_at", UtcTime),
    sa.Column("finished_at", UtcTime),
    sa.Column("cancel_requested_at", UtcTime),
    sa.Column("pause_requested_at", UtcTime),
    #: The fencing number: an attempt can write only while this is its number.
    sa.Column("attempt", sa.Integer, nullable=False),
    #: Consecutive crashes without a new checkpoint.
    sa.Column("deaths", sa.Integer, nullable=False),
    #: The number of changes, for the ETag.
    sa.Column("revision", sa.Integer, nullable=False),
    #: The number of the newest event.
    sa.Column("last_event", sa.Integer, nullable=False),
    sa.Column("device", sa.String(64)),
    sa.Column("mlflow_run_id", sa.String(64)),
    sa.Column("metrics", sa.JSON, nullable=False),
    sa.Column("best", sa.JSON, nullable=False),
    sa.Column("result", sa.JSON(none_as_null=True)),
    sa.Column("failure", sa.JSON(none_as_null=True)),
    sa.CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})", name="state"),
    sa.Index(
        "ix_jobs_waiting",
        sa.desc("priority"),
        "id",
        postgresql_where=sa.text("state='queued'"),
        sqlite_where=sa.text("state='queued'"),
    ),
    sa.Index(
        "ix_jobs_waiting_of_owner",
        "owner",
        sa.desc("priority"),
        "id",
        postgresql_where=sa.text("state='queued'"),
        sqlite_where=sa.text("state='queued'"),
    ),
    sa.Index(
        "ix_jobs_waiting_of_kind",
        "cost_kind",
        "id",
        postgresql_where=sa.text("state='queued'"),
        sqlite_where=sa.text("state='queued'"),
    ),
    sa.Index("ix_jobs_state", "state", "id"),
    sa.Index("ix_jobs_owner", "owner", "id"),
    sa.Index("ix_jobs_dataset", "dataset", "id"),
    sa.Index("ix_jobs_name", "name", "id"),
    sa.Index("ix_jobs_sweep", "sweep_id", "id"),
    sa.Index(
        "ix_jobs_retry_of",
        "retry_of",
        postgresql_where=sa.text("retry_of IS NOT NULL"),
        sqlite_where=sa.text("retry_of IS NOT NULL"),
    ),
    sa.Index(
        "ix_jobs_forked_from",
        "forked_from",
        postgresql_where=sa.text("forked_from IS NOT NULL"),
        sqlite_where=sa.text("forked_from IS NOT NULL"),
    ),
    sa.Index(
        "ix_jobs_awaiting_verification",
        "id",
        postgresql_where=sa.text("awaits_verification"),
        sqlite_where=sa.text("awaits_verification"),
    ),
    sa.Index(
        "ix_jobs_weights_job",
        "weights_job",
        postgresql_where=sa.text("weights_job IS NOT NULL"),
        sqlite_where=sa.text("weights_job IS NOT NULL"),
    ),
)

tags = sa.Table(
    "tags",
    metadata,
    job_id(primary_key=True),
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("value", sa.String(512), nullable=False),
    sa.Index("ix_tags_key_value", "key", "value", "job_id"),
)

idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("owner", sa.String(64), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    job_id(nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)
