"""Every table. Changes go through a migration in `shared/migrations`."""

import math
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from shared.states import STATES


class UtcTime(sa.types.TypeDecorator[datetime]):
    """An aware time in UTC; SQLite keeps it without the zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Refuse a time without a zone: it would mean another moment elsewhere."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Put the zone back that SQLite dropped."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


class Measured(sa.types.TypeDecorator[float]):
    """A float that may be infinite or not a number: SQLite has no NaN, so NaN is NULL."""

    impl = sa.Double()
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Any) -> float | None:
        """NaN is stored as NULL."""
        return None if value is None or math.isnan(value) else value

    def process_result_value(self, value: float | None, dialect: Any) -> float:
        """NULL is read as NaN."""
        return math.nan if value is None else value


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = sa.String(40)
BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _job_id(**options: Any) -> sa.Column[str]:
    return sa.Column("job_id", Id, sa.ForeignKey("jobs.id", ondelete="CASCADE"), **options)


jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", Id, primary_key=True),
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
    sa.Column("dataset", sa.String(100), nullable=False),
    sa.Column("sweep_id", Id),
    sa.Column("retry_of", Id),
    #: The checkpoint of another job that the first attempt goes on from.
    sa.Column("resume_from", Id),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("started_at", UtcTime),
    sa.Column("finished_at", UtcTime),
    sa.Column("cancel_requested_at", UtcTime),
    sa.Column("pause_requested_at", UtcTime),
    #: The fencing number: every write of an attempt must show the current one.
    sa.Column("attempt", sa.Integer, nullable=False),
    #: Deaths by itself in a row without a new checkpoint.
    sa.Column("deaths", sa.Integer, nullable=False),
    #: Counts every change, for ETag.
    sa.Column("revision", sa.Integer, nullable=False),
    #: The number of the job's last event.
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
    sa.Index("ix_jobs_state", "state", "id"),
    sa.Index("ix_jobs_owner", "owner", "id"),
    sa.Index("ix_jobs_dataset", "dataset", "id"),
    sa.Index("ix_jobs_sweep", "sweep_id", "id"),
    sa.Index(
        "ix_jobs_retry_of",
        "retry_of",
        postgresql_where=sa.text("retry_of IS NOT NULL"),
        sqlite_where=sa.text("retry_of IS NOT NULL"),
    ),
)

tags = sa.Table(
    "tags",
    metadata,
    _job_id(primary_key=True),
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("value", sa.String(512), nullable=False),
    sa.Index("ix_tags_key_value", "key", "value", "job_id"),
)

#: What changes every second while a job runs: narrow, so that the wide rows stay still.
live = sa.Table(
    "live",
    metadata,
    _job_id(primary_key=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("beat", sa.Integer, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("worker", sa.String(128), nullable=False),
    sa.Column("host", sa.String(128), nullable=False),
    sa.Column("pid", sa.Integer),
    sa.Column("devices", sa.JSON, nullable=False),
    sa.Column("progress", sa.JSON(none_as_null=True)),
)

attempts = sa.Table(
    "attempts",
    metadata,
    _job_id(primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("worker", sa.String(128), nullable=False),
    sa.Column("host", sa.String(128), nullable=False),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("ended_at", UtcTime),
    #: Why it ended: a final state, drained, worker_lost, crashed, stalled …
    sa.Column("outcome", sa.String(64)),
    sa.Column("exit_code", sa.Integer),
    sa.Column("first_step", BigInt, nullable=False),
    #: Versions and hardware, which exactness depends on.
    sa.Column("fingerprint", sa.JSON(none_as_null=True)),
    #: How many batches of it are stored: one whose answer was lost is not stored again.
    sa.Column("batches", sa.Integer, nullable=False, server_default="0"),
)

events = sa.Table(
    "events",
    metadata,
    _job_id(primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("type", sa.String(32), nullable=False),
    sa.Column("step", BigInt),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
)

metrics = sa.Table(
    "metrics",
    metadata,
    #: Never used again, so that the tracking process can remember how far it came.
    sa.Column("id", BigInt, primary_key=True, autoincrement=True),
    _job_id(nullable=False),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("split", sa.String(16)),
    sa.Column("stage", sa.String(64), nullable=False),
    sa.Column("step", BigInt, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("value", Measured),
    sa.Column("at", UtcTime, nullable=False),
    sa.Index("uq_metrics_point", "job_id", "name", "stage", "step", unique=True),
    sqlite_autoincrement=True,
)

checkpoints = sa.Table(
    "checkpoints",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _job_id(nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    #: last, previous (what `last` falls back on), initial, best or series.
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("monitor", sa.String(64)),
    sa.Column("mode", sa.String(3)),
    sa.Column("value", Measured),
    sa.Column("stage", sa.String(64), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("step", BigInt, nullable=False),
    #: Directory in the storage; several checkpoints may share one.
    sa.Column("directory", sa.String(255), nullable=False),
    sa.Column("bytes", BigInt, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Index("ix_checkpoints_job", "job_id", "id"),
)

#: What a checkpoint reaches on the test split.
evaluations = sa.Table(
    "evaluations",
    metadata,
    sa.Column(
        "checkpoint_id", Id, sa.ForeignKey("checkpoints.id", ondelete="CASCADE"), primary_key=True
    ),
    _job_id(nullable=False, index=True),
    sa.Column("split", sa.String(16), nullable=False),
    #: loss, accuracy, top_k, per_class, confusion, mistakes.
    sa.Column("data", sa.JSON, nullable=False),
    #: The file of the k most probable classes of every sample, in the storage.
    sa.Column("predictions", sa.String(255), nullable=False),
)

artifacts = sa.Table(
    "artifacts",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _job_id(nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("path", sa.String(255), nullable=False),
    sa.Column("media_type", sa.String(128), nullable=False),
    sa.Column("bytes", BigInt, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Index("uq_artifacts_job_name", "job_id", "name", unique=True),
)

#: Uploaded files that fine-tuning can go on from.
weights = sa.Table(
    "weights",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("owner", sa.String(64), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("bytes", BigInt, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("tensors", sa.Integer, nullable=False),
    sa.Column("parameters", BigInt, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)

idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("owner", sa.String(64), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    _job_id(nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)

#: What the desk said of a network, so that it is asked once.
desk_answers = sa.Table(
    "desk_answers",
    metadata,
    sa.Column("question", sa.String(64), primary_key=True),
    sa.Column("answer", sa.JSON, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("host", sa.String(128), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("seen_at", UtcTime, nullable=False),
    sa.Column("devices", sa.JSON, nullable=False),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("holder", sa.String(128), nullable=False),
    sa.Column("beat", BigInt, nullable=False),
)

#: How far MLflow has its copy of each job.
tracking = sa.Table(
    "tracking",
    metadata,
    _job_id(primary_key=True),
    sa.Column("run_id", sa.String(64)),
    sa.Column("last_metric_id", BigInt, nullable=False),
    sa.Column("is_complete", sa.Boolean, nullable=False),
    sa.Column("error", sa.Text),
)
