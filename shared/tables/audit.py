"""Who changed what. Rows are only inserted, in the transaction of the change."""

import sqlalchemy as sa

from shared.tables.columns import Id, UtcTime, metadata

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("user", sa.String(64), nullable=False),
    sa.Column("key_id", Id, nullable=False),
    #: Such as `job.cancel` or `user.update`.
    sa.Column("action", sa.String(64), nullable=False),
    #: The id of what was changed.
    sa.Column("object", sa.String(100), nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False),
    #: What is new of each changed field. Never a secret.
    sa.Column("changes", sa.JSON, nullable=False),
    sa.Index("ix_audit_object", "object", "id"),
    sa.Index("ix_audit_user", "user", "id"),
)
