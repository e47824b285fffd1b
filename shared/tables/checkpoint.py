"""Checkpoints and their test results."""

import sqlalchemy as sa

from shared.tables.columns import BigInt, Id, Measured, UtcTime, job_id, metadata

checkpoints = sa.Table(
    "checkpoints",
    metadata,
    sa.Column("id", Id, primary_key=True),
    job_id(nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    #: `last`, `previous` (the fallback of `last`), `initial`, `best` or `series`.
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("monitor", sa.String(64)),
    sa.Column("mode", sa.String(3)),
    sa.Column("value", Measured),
    sa.Column("stage", sa.String(64), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("step", BigInt, nullable=False),
    #: The directory in the storage, which several checkpoints may share.
    sa.Column("directory", sa.String(255), nullable=False),
    sa.Column("bytes", BigInt, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Index("ix_checkpoints_job", "job_id", "id"),
)

#: The results of a checkpoint on the test split.
evaluations = sa.Table(
    "evaluations",
    metadata,
    sa.Column(
        "checkpoint_id", Id, sa.ForeignKey("checkpoints.id", ondelete="CASCADE"), primary_key=True
    ),
    job_id(nullable=False, index=True),
    sa.Column("split", sa.String(16), nullable=False),
    #: `loss`, `accuracy`, `top_k`, `per_class`, `confusion`, `mistakes`.
    sa.Column("data", sa.JSON, nullable=False),
    #: The file, in the storage, of the k most probable classes of every sample.
    sa.Column("predictions", sa.String(255), nullable=False),
)
