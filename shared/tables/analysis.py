"""Analyses of checkpoints. Their state is that of the job with the same id."""

import sqlalchemy as sa

from shared.tables.columns import Id, metadata

#: Each analysis has a row in `jobs` too, with its state, its progress and its result.
analyses = sa.Table(
    "analyses",
    metadata,
    sa.Column("id", Id, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    #: The job whose checkpoint is analysed.
    sa.Column("subject_id", Id, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("checkpoint_id", Id, nullable=False),
    #: As the checkpoint was called at the request.
    sa.Column("checkpoint_name", sa.String(100), nullable=False),
    sa.Column("parameters", sa.JSON, nullable=False),
    #: As predicted at the request.
    sa.Column("memory_mib", sa.Double, nullable=False),
    #: Of the weights, the kind and the parameters: the same request gives the same analysis.
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Index("ix_analyses_subject", "subject_id", "id"),
    sa.Index("ix_analyses_fingerprint", "fingerprint"),
)
