"""Attempts of jobs and their heartbeats."""

import sqlalchemy as sa

from shared.tables.columns import BigInt, Id, UtcTime, job_id, metadata

attempts = sa.Table(
    "attempts",
    metadata,
    job_id(primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("worker", sa.String(128), nullable=False),
    sa.Column("host", sa.String(128), nullable=False),
    #: The first of its devices, and all of them; null of an attempt of before.
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("devices", sa.JSON(none_as_null=True)),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("ended_at", UtcTime),
    #: How it ended: `completed`, a failure's kind, `drained`, `yielded`, `worker_lost`, `crashed` …
    sa.Column("outcome", sa.String(64)),
    sa.Column("exit_code", sa.Integer),
    sa.Column("first_step", BigInt, nullable=False),
    #: Versions and hardware, on which exact results depend; null before the first step.
    sa.Column("fingerprint", sa.JSON(none_as_null=True)),
    #: Up to when it is charged to its owner, and the device-seconds that are charged.
    sa.Column("charged_until", UtcTime),
    sa.Column("device_seconds", sa.Double, nullable=False, server_default="0"),
    #: The same with each second times the rate of the job's priority at that time.
    sa.Column("charged_seconds", sa.Double, nullable=False, server_default="0"),
    #: How many devices it is charged for since then: of a shared device its part.
    sa.Column("share", sa.Double, nullable=False, server_default="1"),
    #: What its start and its stop took, of an attempt that gave way.
    sa.Column("switch_seconds", sa.Double),
    #: The number of stored batches, so that no batch is stored twice.
    sa.Column("batches", sa.Integer, nullable=False, server_default="0"),
    #: The ended attempts that are not charged yet: a few, of however many there are.
    sa.Index(
        "ix_attempts_uncharged",
        "job_id",
        "number",
        postgresql_where=sa.text("charged_until < ended_at"),
        sqlite_where=sa.text("charged_until < ended_at"),
    ),
)

#: The heartbeat of each running job. It changes every second and therefore has a narrow row.
live = sa.Table(
    "live",
    metadata,
    job_id(primary_key=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("beat", sa.Integer, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("worker", sa.String(128), nullable=False),
    sa.Column("host", sa.String(128), nullable=False),
    sa.Column("pid", sa.Integer),
    sa.Column("devices", sa.JSON, nullable=False),
    sa.Column("progress", sa.JSON(none_as_null=True)),
    #: When it took its first step.
    sa.Column("stepped_at", UtcTime),
    #: When it was to give way, and the waiting job that gets its device.
    sa.Column("yield_requested_at", UtcTime),
    sa.Column("yields_to", Id),
    #: The memory that was planned for it.
    sa.Column("memory_mib", sa.Double, nullable=False, server_default="0"),
    #: The memory of its GPU that it uses; null if that is not measured.
    sa.Column("used_mib", sa.Double),
)
