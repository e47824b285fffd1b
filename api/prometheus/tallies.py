"""Counts of what has begun and ended since the API started, brought up to date at each scrape.

They never decrease, not even when jobs are deleted, so that Prometheus can compute rates.
"""

import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter, Histogram

from shared import tables
from shared.clock import now
from shared.database import Database
from shared.states import PRIORITY_NAMES

#: A time is recorded a moment before its transaction is visible; no transaction is longer.
OVERLAP = timedelta(seconds=60)
#: From a start at once to a start after a busy week.
WAIT_SECONDS = (1, 2, 5, 10, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 43200, 86400, 259200)
MAX_OUTCOMES = 50
MAX_REMEMBERED = 100_000


class Tallies:
    """Counts the attempts that start and end."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.registry = CollectorRegistry()
        self.waits = Histogram(
            "trainshed_wait_seconds",
            "Time from a job's submission to its first start",
            ["priority"],
            buckets=WAIT_SECONDS,
            registry=self.registry,
        )
        self.ended = Counter(
            "trainshed_attempts_ended",
            "Attempts by how they ended: completed, a failure's kind, drained, worker_lost …",
            ["outcome"],
            registry=self.registry,
        )
        self.device_seconds = Counter(
            "trainshed_device_seconds",
            "Device time of attempts that have ended, by how they ended",
            ["outcome"],
            registry=self.registry,
        )
        for name in PRIORITY_NAMES.values():
            self.waits.labels(name)
        self.ended.labels("completed")
        self._lock = threading.Lock()
        self._since = now()
        self._counted = OrderedDict[tuple[str, Any, Any], None]()
        self._outcomes = {"completed"}

    def update(self) -> None:
        """Count what is new in the database."""
        with self._lock:
            until, since = now(), self._since - OVERLAP
            attempts, jobs = tables.attempts.c, tables.jobs.c
            is_new = sa.or_(attempts.started_at > since, attempts.ended_at > since)
            query = (
                sa.select(tables.attempts, jobs.created_at, jobs.priority)
                .join_from(tables.attempts, tables.jobs)
                .where(is_new)
            )
            with self.database.read() as connection:
                rows = connection.execute(query).mappings().all()
            for row in rows:
                self._count(row)
            self._since = until

    def _count(self, row: Any) -> None:
        began, ended = _time(row["started_at"]), _time(row["ended_at"])
        is_first = row["number"] == 1
        if began and is_first and self._is_new(row, "start"):
            created = _time(row["created_at"])
            if created is not None:
                priority = PRIORITY_NAMES.get(row["priority"], "normal")
                self.waits.labels(priority).observe(max(0.0, (began - created).total_seconds()))
        if ended and self._is_new(row, "end"):
            outcome = self._outcome(row["outcome"])
            self.ended.labels(outcome).inc()
            if began:
                seconds = max(0.0, (ended - began).total_seconds())
                self.device_seconds.labels(outcome).inc(seconds)

    def _is_new(self, row: Any, what: str) -> bool:
        """Return whether this has not been counted, and happened after the API's start."""
        key = (f"{row['job_id']}", row["number"], what)
        at = _time(row["started_at" if what == "start" else "ended_at"])
        if key in self._counted or at is None or at <= self._since - OVERLAP:
            return False
        self._counted[key] = None
        if len(self._counted) > MAX_REMEMBERED:
            self._counted.popitem(last=False)
        return True

    def _outcome(self, value: Any) -> str:
        """Return the label of an outcome; of a damaged row, `unknown`."""
        outcome = value if isinstance(value, str) and value.isidentifier() else "unknown"
        if outcome not in self._outcomes and len(self._outcomes) >= MAX_OUTCOMES:
            return "unknown"
        self._outcomes.add(outcome)
        return outcome


def _time(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None
