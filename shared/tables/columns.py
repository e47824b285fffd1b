"""Column types, and the metadata in which every table is registered."""

import math
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa


class UtcTime(sa.types.TypeDecorator[datetime]):
    """An aware time in UTC, which SQLite stores without the time zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Refuse a time without a time zone, which would be ambiguous."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value if value is None else value.astimezone(UTC)

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        """Return a function that adds the time zone, which SQLite does not store.

        Text that is not a time is returned unchanged, so that `StoredRow.read` names the column.
        """
        parse = self.impl_instance.result_processor(dialect, coltype)

        def read(value: Any) -> Any:
            if value is None:
                return None
            if parse is not None:
                try:
                    value = parse(value)
                except (TypeError, ValueError):
                    return value
            if not isinstance(value, datetime):
                return value
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value

        return read


class Measured(sa.types.TypeDecorator[float]):
    """A float that may be infinite or NaN. SQLite has no NaN, so NaN is stored as NULL."""

    impl = sa.Double()
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Any) -> float | None:
        """Convert NaN to NULL."""
        return None if value is None or math.isnan(value) else value

    def process_result_value(self, value: float | None, dialect: Any) -> float:
        """Convert NULL to NaN."""
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


def job_id(**options: Any) -> sa.Column[str]:
    """Return a column that refers to a job; the row is deleted with the job."""
    return sa.Column("job_id", Id, sa.ForeignKey("jobs.id", ondelete="CASCADE"), **options)
