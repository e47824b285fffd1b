"""The sidecar's responses, cached."""

import sqlalchemy as sa

from shared.tables.columns import UtcTime, metadata

sidecar_responses = sa.Table(
    "sidecar_responses",
    metadata,
    #: The digest of the request.
    sa.Column("request", sa.String(64), primary_key=True),
    sa.Column("response", sa.JSON, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)
