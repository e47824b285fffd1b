"""Column types and the metadata that every table is registered in."""

import math
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa


class UtcTime(sa.types.TypeDecorator[datetime]):
    """An aware time in UTC; SQLite keeps it without the zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Refuse a time without a zone: it would mean another moment elsewhere."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value if value is None else value.astimezone(UTC)

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        """Return a function that adds the zone which SQLite drops.

        Text that is no time is returned as it is: `StoredRow.read` then names the column.
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
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value

        return read


class Measured(sa.types.TypeDecorator[float]):
    """A float that may be infinite or not a number: SQLite has no NaN, so NaN is NULL."""

    impl = sa.Double()
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Any) -> float | None:
        """NaN is stored as NULL."""
        return None if value is None or math.isnan(value) else value

    def process_result_value(self, value: float | None, dialect: Any) -> float:
        """NULL is read as NaN."""
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
    """Return the column that refers to a job, deleted with it."""
    return sa.Column("job_id", Id, sa.ForeignKey("jobs.id", ondelete="CASCADE"), **options)
