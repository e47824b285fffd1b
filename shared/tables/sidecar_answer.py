"""The sidecar's answers, cached."""

import sqlalchemy as sa

from shared.tables.columns import UtcTime, metadata

#: What the sidecar said of a network, so that it is asked once.
sidecar_answers = sa.Table(
    "sidecar_answers",
    metadata,
    sa.Column("question", sa.String(64), primary_key=True),
    sa.Column("answer", sa.JSON, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)
