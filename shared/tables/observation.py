"""What ended attempts have shown about times and memory. Predictions are learned from it."""

import sqlalchemy as sa

from shared.tables.columns import BigInt, Id, UtcTime, metadata

#: A row stays when its job is deleted: it has nothing of the data or of the owner.
observations = sa.Table(
    "observations",
    metadata,
    sa.Column("id", BigInt, primary_key=True, autoincrement=True),
    #: No foreign key, see above.
    sa.Column("job_id", Id, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    #: Of the job: what decides the time of a pass, and the name of the architecture.
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("family", sa.String(100), nullable=False),
    sa.Column("device_model", sa.String(128), nullable=False),
    #: The size of a pass compared with other kinds.
    sa.Column("size", sa.Double, nullable=False),
    sa.Column("ended_at", UtcTime, nullable=False),
    #: Of a pass of one image; null if no epoch ended.
    sa.Column("pass_seconds", sa.Double),
    #: Start, evaluation and writing, and the part of the epochs that ran; of a whole job only.
    sa.Column("overhead_seconds", sa.Double),
    sa.Column("fraction", sa.Double),
    #: How many jobs used the device at its end, itself included.
    sa.Column("sharers", sa.Integer, nullable=False, server_default="1"),
    sa.Column("peak_memory_mib", sa.Double),
    sa.Column("network_mib", sa.Double),
    #: The time of the whole job in all its attempts; null if it did not succeed.
    sa.Column("seconds", sa.Double),
    #: What was predicted when the job was submitted; `basis` is null if nothing was.
    sa.Column("basis", sa.String(16)),
    sa.Column("predicted_p50", sa.Double),
    sa.Column("predicted_p90", sa.Double),
    sa.Column("predicted_sigma", sa.Double),
    sa.Column("memory_basis", sa.String(16)),
    sa.Column("predicted_memory_mib", sa.Double),
    sa.UniqueConstraint("job_id", "attempt"),
    sa.Index("ix_observations_kind", "kind", "id"),
    sa.Index("ix_observations_family", "family", "id"),
    sa.Index("ix_observations_basis", "basis", "id"),
)
