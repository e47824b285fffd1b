"""How the used device time of all users is stored."""

import sqlalchemy as sa

from shared.tables.columns import UtcTime, metadata

#: One row: `users.usage` is inflated from `begins_at` on, and halves in `half_life_seconds`.
ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("begins_at", UtcTime, nullable=False),
    sa.Column("half_life_seconds", sa.Double, nullable=False),
)
