"""The keys of people, and the sessions of browsers. No secret is stored, only digests."""

import sqlalchemy as sa

from shared.tables.columns import Id, UtcTime, metadata

keys = sa.Table(
    "keys",
    metadata,
    #: The part of the key that is no secret.
    sa.Column("id", Id, primary_key=True),
    sa.Column("user", sa.String(64), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("secret_sha256", sa.String(64), nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
    sa.Column("last_used_at", UtcTime),
    sa.Column("revoked_at", UtcTime),
    sa.Index("ix_keys_user", "user", "id"),
)

#: A session has the rights of its key and ends with it.
sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", Id, primary_key=True),
    #: `admin` for the key of the settings, which has no row.
    sa.Column("key_id", Id, nullable=False, index=True),
    #: Of the session's secret and the digest of its key, so that another key ends it.
    sa.Column("secret_sha256", sa.String(64), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("last_used_at", UtcTime, nullable=False),
)
