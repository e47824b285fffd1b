"""Limits how many requests a person makes in a second, in this process.

Each person has a bucket of tokens that is refilled at the rate of the limit and holds as many as
the limit allows in a second, but at least one. A request takes a token.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from fastapi.concurrency import run_in_threadpool

from api.services.limits import LimitChecks
from shared import tables
from shared.clock import now, rfc3339
from shared.database import Database
from shared.errors import LimitReached, Unavailable

NAME = "requests_per_second"
#: A limit that was changed counts within this time.
MAX_AGE_SECONDS = 1.0
MAX_REMEMBERED = 10_000


@dataclass(slots=True)
class _Bucket:
    limit: float | None
    tokens: float
    filled_at: float
    read_at: float


class RequestRates:
    """The buckets of all people, by name. Used by the thread of the event loop only."""

    def __init__(self, database: Database, limits: LimitChecks) -> None:
        self._database = database
        self._limits = limits
        self._buckets = OrderedDict[str, _Bucket]()

    async def count(self, name: str) -> None:
        """Count a request of a person.

        Raises:
            LimitReached: it is one too many.
        """
        began_at = time.monotonic()
        bucket = self._buckets.get(name)
        if bucket is None or began_at - bucket.read_at > MAX_AGE_SECONDS:
            limit = await run_in_threadpool(self._read, name)
            bucket = self._buckets.get(name) or _Bucket(limit, _capacity(limit), began_at, began_at)
            bucket.limit, bucket.read_at = limit, began_at
            self._buckets[name] = bucket
            if len(self._buckets) > MAX_REMEMBERED:
                self._buckets.popitem(last=False)
        _take(bucket, name)

    def _read(self, name: str) -> float | None:
        """Return the limit of a person; of the settings while the database does not answer."""
        users, own = tables.users.c, None
        query = sa.select(users.limits).where(users.name == name)
        try:
            with self._database.read() as connection:
                own = connection.execute(query).scalar_one_or_none()
        except Unavailable:
            pass
        return self._limits.limit(own, NAME)


def _take(bucket: _Bucket, name: str) -> None:
    limit, at = bucket.limit, time.monotonic()
    if not limit:
        return
    refilled = bucket.tokens + (at - bucket.filled_at) * limit
    bucket.tokens, bucket.filled_at = min(_capacity(limit), refilled), at
    if bucket.tokens < 1.0:
        wait_seconds = (1.0 - bucket.tokens) / limit
        raise LimitReached(
            f"There are more than {limit:g} requests a second with the keys of {name}. Wait "
            f"{wait_seconds:.1f} s. `wait` and event streams follow a job with few requests.",
            retry_after_seconds=wait_seconds,
            limit=NAME,
            used=limit,
            allowed=limit,
            frees_at=rfc3339(now() + timedelta(seconds=wait_seconds)),
        )
    bucket.tokens -= 1.0


def _capacity(limit: float | None) -> float:
    return max(1.0, limit or 1.0)
