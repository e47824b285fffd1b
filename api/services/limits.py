"""Refuses what exceeds the limits of a person.

What is used is counted, and the new row inserted, under a lock on the row of the person: of many
requests at once exactly as many pass as the limit allows.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa

from api.services import use
from api.services.principal import Principal
from shared import tables
from shared.accounts.limits import default_limits, limit_of
from shared.accounts.users import lock_user
from shared.clock import now, rfc3339
from shared.database import Database
from shared.errors import LimitReached, StorageLimit
from shared.jobs import used_days
from shared.jobs.deletion import list_largest
from shared.jobs.planning.box import HIGH_SECONDS
from shared.jobs.used_days import Week
from shared.settings import Settings
from shared.states import FINAL, PRIORITIES

HIGH = PRIORITIES["high"]
#: When to try again where nobody knows when something ends.
RETRY_SECONDS = 30.0
#: Of ended jobs in an error.
MAX_LISTED = 5
#: What can refuse a new job.
LIMITS_OF_JOBS = ("queued", "storage_mib", "high_device_seconds_week")
_OWN_LIMITS = sa.select(tables.users.c.limits).where(tables.users.c.name == sa.bindparam("owner"))


class LimitChecks:
    """The checks, with the limits of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._defaults = default_limits(settings)

    def limit(self, own: Any, name: str) -> float | None:
        """Return a limit of a person, given their own limits."""
        return limit_of(self._defaults, own, name)

    def for_job(
        self, principal: Principal, spec: Mapping[str, Any] | None = None
    ) -> Callable[[sa.Connection], None]:
        """Return the check of a new job of this person, to be called in its transaction.

        Args:
            principal: the owner of the job.
            spec: the specification; None where the job is never of high priority.
        """
        return partial(self._check_job, principal=principal, spec=spec)

    def _check_job(
        self, connection: sa.Connection, *, principal: Principal, spec: Mapping[str, Any] | None
    ) -> None:
        own = self._own_limits(connection, principal.name)
        if all(self.limit(own, name) is None for name in LIMITS_OF_JOBS):
            return
        self.check_queued(connection, principal.name)
        self.check_storage(connection, principal)
        if spec is not None and spec["priority"] == "high":
            self.check_high(connection, principal, spec)

    def check_queued(self, connection: sa.Connection, owner: str) -> None:
        """Check that a further job of a person may wait.

        Raises:
            LimitReached: no.
        """
        allowed = self._locked(connection, owner, "queued")
        if allowed is None:
            return
        used = use.count_jobs(connection, [owner]).get((owner, "queued"), 0)
        if used >= allowed:
            wait = "1 job waits" if used == 1 else f"{used} jobs wait"
            remedy = "Wait until one starts, or cancel one" if allowed else "Ask an admin"
            raise LimitReached(
                f"{wait} of {owner}; at most {allowed:.0f} may. {remedy}.",
                **_data("queued", used, allowed),
            )

    def check_high(
        self,
        connection: sa.Connection,
        principal: Principal,
        spec: Mapping[str, Any],
        *,
        job_id: str = "",
    ) -> None:
        """Check that a job may have high priority. Admins are not limited.

        A job that has not ended counts with its time limit, or with four hours.

        Args:
            connection: in the transaction of the change.
            principal: the owner of the job.
            spec: of the job.
            job_id: of the job if it exists already.

        Raises:
            LimitReached: no.
        """
        name = "high_device_seconds_week"
        owner = principal.name
        allowed = None if principal.is_admin else self._locked(connection, owner, name)
        if allowed is None:
            return
        used = used_days.read_week(connection, [owner]).get(owner, Week()).high_device_seconds
        used += _committed_seconds(connection, owner, without=job_id)
        needed = _seconds(spec)
        if used + needed <= allowed:
            return
        excess = used + needed - allowed
        frees_at = used_days.frees_at(connection, owner, excess_seconds=excess, is_high=True)
        raise LimitReached(
            f"Jobs of high priority of {owner} use {used:.0f} device-seconds of this week, and "
            f"this job may take {needed:.0f}; at most {allowed:.0f} are allowed. Use normal "
            "priority, or a smaller max_runtime_seconds.",
            **_data(name, used, allowed, frees_at),
        )

    def check_storage(
        self, connection: sa.Connection, principal: Principal, *, new_bytes: int = 0
    ) -> None:
        """Check that a person may store more.

        Args:
            connection: for reading, or in the transaction that stores.
            principal: the owner.
            new_bytes: what is to be stored; 0 if that is not known yet.

        Raises:
            StorageLimit: no.
        """
        owner = principal.name
        allowed = self._locked(connection, owner, "storage_mib")
        if allowed is None:
            return
        used = use.stored_bytes(connection, [owner])[owner] / use.MIB
        new = new_bytes / use.MIB
        if used + new <= allowed and (new or used < allowed):
            return
        freed = use.stored_bytes(connection, [owner], can_be_deleted=True)[owner]
        adds = f", and this adds {new:.1f} MiB" if new else ""
        raise StorageLimit(
            f"{owner} stores {used:.1f} MiB{adds}; at most {allowed:.1f} MiB are allowed. Deleting "
            f"jobs that have ended, data sets and weights frees up to {freed / use.MIB:.1f} MiB.",
            limit="storage_mib",
            used=round(used, 3),
            allowed=allowed,
            deletable_bytes=freed,
            largest_jobs=list_largest(connection, limit=MAX_LISTED, only_owner=owner),
        )

    def check_upload(self, database: Database, principal: Principal, new_bytes: int) -> None:
        """Check before a file is received what its transaction checks again.

        Raises:
            StorageLimit: the file would exceed the limit.
        """
        with database.read() as connection:
            self.check_storage(connection, principal, new_bytes=new_bytes)

    def _locked(self, connection: sa.Connection, owner: str, name: str) -> float | None:
        """Return a limit of a person, whose row is then locked where a transaction writes."""
        if self.limit(self._own_limits(connection, owner), name) is None:
            return None
        if not connection.get_execution_options().get("postgresql_readonly"):
            lock_user(connection, owner)
        return self.limit(self._own_limits(connection, owner), name)

    def _own_limits(self, connection: sa.Connection, owner: str) -> Any:
        """Return the limits of a person as they are stored."""
        return connection.execute(_OWN_LIMITS, {"owner": owner}).scalar_one_or_none()


def _committed_seconds(connection: sa.Connection, owner: str, *, without: str) -> float:
    """Return what the unfinished jobs of high priority may use yet."""
    jobs, attempts = tables.jobs.c, tables.attempts.c
    charged = sa.select(sa.func.sum(attempts.device_seconds)).where(attempts.job_id == jobs.id)
    query = sa.select(jobs.spec, charged.scalar_subquery()).where(
        jobs.owner == owner,
        jobs.priority >= HIGH,
        jobs.state.not_in(FINAL),
        jobs.id != without,
    )
    return sum(max(0.0, _seconds(spec) - (used or 0.0)) for spec, used in connection.execute(query))


def _seconds(spec: Any) -> float:
    """Return the most device-seconds that a job of high priority takes."""
    resources = spec.get("resources") if isinstance(spec, dict) else None
    resources = resources if isinstance(resources, dict) else {}
    seconds, gpus = resources.get("max_runtime_seconds"), resources.get("gpus")
    return (seconds if isinstance(seconds, int | float) else HIGH_SECONDS) * (
        gpus if isinstance(gpus, int) else 1
    )


def _data(name: str, used: float, allowed: float, frees_at: datetime | None = None) -> Any:
    seconds = RETRY_SECONDS if frees_at is None else (frees_at - now()).total_seconds()
    return {
        "retry_after_seconds": seconds,
        "limit": name,
        "used": used,
        "allowed": allowed,
        "frees_at": rfc3339(frees_at),
    }
