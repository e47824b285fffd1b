"""Used device time in the database: the ledger, owners' use, and the charges of attempts."""

from collections.abc import Iterable
from datetime import datetime
from math import inf, isfinite
from typing import Any, Literal

import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.jobs import used_days
from shared.jobs.planning.box import HIGH, Owner, Policy
from shared.jobs.usage import Ledger, rate_of
from shared.states import PRIORITY_NAMES

LEDGER_ID = 1
#: Outcomes that are the service's fault: what the attempt has used is not charged.
REFUNDED = ("worker_lost", "device_fault")
#: Up to how many owners are read by name; more are read with all others.
MAX_NAMED = 200
#: How many ended attempts are charged in one transaction.
MAX_SETTLED = 100
#: What runs is charged every minute, so a much longer interval is a clock that was set forward.
MAX_INTERVAL_SECONDS = 86_400.0


def read_ledger(
    connection: sa.Connection, *, lock: Literal["shared", "exclusive"] | None = None
) -> Ledger:
    """Return how stored use is read; a damaged ledger counts as begun now.

    Args:
        connection: for reading, or in a transaction that writes if the ledger is locked.
        lock: until the end of the transaction. Charges share it, so that no charge that was
            computed before a rebase is added after it.
    """
    columns = tables.ledger.c
    query = sa.select(columns.begins_at, columns.half_life_seconds)
    query = query.where(columns.id == LEDGER_ID)
    if lock is not None:
        query = query.with_for_update(read=lock == "shared")
    row = connection.execute(query).one_or_none()
    begins_at = _seconds(row.begins_at) if row is not None else None
    half_life = _valid(row.half_life_seconds, 0.0) if row is not None else 0.0
    return Ledger(begins_at or now().timestamp(), half_life or Policy().half_life_seconds)


def read_owners(
    connection: sa.Connection, ledger: Ledger, names: Iterable[str], at: float
) -> dict[str, Owner]:
    """Return the owners with their use as it counts now, with what runs and is not charged yet.

    An owner without an account, as of a job edited by hand, counts as new.
    """
    users = tables.users.c
    wanted = set(names)
    query = sa.select(users.name, users.weight, users.usage, users.last_start_at)
    owners = {name: Owner(name) for name in wanted}
    factor = ledger.decayed(1.0, at)
    if len(wanted) <= MAX_NAMED:
        query = query.where(users.name.in_([name for name in wanted if isinstance(name, str)]))
    for name, weight, usage, started in connection.execute(query).all():
        if name in wanted:
            owners[name] = Owner(
                name,
                _valid(weight, 1.0) or 1.0,
                factor * _valid(usage, 0.0),
                started.timestamp() if isinstance(started, datetime) else -inf,
            )
    return owners


def charge(connection: sa.Connection, job_id: str, attempt: int, until: datetime) -> None:
    """Charge a running attempt to its owner up to this time, exactly once.

    An attempt that has ended is left to `settle`, which knows whether it is refunded.
    """
    row = _charged(connection, job_id, attempt)
    if row is not None and row.ended_at is None:
        _charge(connection, row, job_id, attempt, until)


def _charge(
    connection: sa.Connection, row: Any, job_id: str, attempt: int, until: datetime
) -> bool:
    """Charge an attempt up to this time; return whether this transaction did.

    Of two processes that charge the same time, one finds it charged.
    """
    begin = _seconds(row.charged_until) or _seconds(row.started_at)
    end = until.timestamp()
    if begin is None or end <= begin:
        return False
    begin = max(begin, end - MAX_INTERVAL_SECONDS)
    seen = row.charged_until if isinstance(row.charged_until, datetime) else None
    attempts = tables.attempts.c
    charged = attempts.charged_until
    # A damaged time is replaced: nobody can compare with it.
    is_unchanged = sa.true() if seen is None else charged == seen
    rate, share = _rate(row.priority), _share(row)
    seconds = share * (end - begin)
    updated = connection.execute(
        sa.update(tables.attempts)
        .where(_is(job_id, attempt), is_unchanged)
        .values(
            charged_until=until,
            device_seconds=attempts.device_seconds + seconds,
            charged_seconds=attempts.charged_seconds + rate * seconds,
        )
    )
    if not updated.rowcount:
        return False
    current = read_ledger(connection, lock="shared")
    _add(connection, row.owner, current.charge(begin, end, rate=rate, share=share))
    used_days.add(connection, row.owner, until, seconds, is_high=_is_high(row.priority))
    return True


def settle(connection: sa.Connection) -> int:
    """Charge what ended attempts are still to be charged; return how many there were.

    What a lost worker or a failed device took is given back; its device-seconds stay recorded. An
    attempt whose times are damaged cannot be charged and is left out from then on.
    """
    attempts = tables.attempts.c
    query = sa.select(attempts.job_id, attempts.number, attempts.ended_at, attempts.outcome)
    query = query.where(sa.text("charged_until < ended_at")).limit(MAX_SETTLED)
    rows = connection.execute(query).all()
    for row in rows:
        charged = _charged(connection, row.job_id, row.number)
        # Of two leaders at once, only the leader that charged it refunds it.
        is_settled = (
            charged is not None
            and isinstance(row.ended_at, datetime)
            and _charge(connection, charged, row.job_id, row.number, row.ended_at)
        )
        if not is_settled:
            _leave_out(connection, row.job_id, row.number)
        elif row.outcome in REFUNDED:
            _refund(connection, charged, row.job_id, row.number)
    return len(rows)


def _leave_out(connection: sa.Connection, job_id: str, attempt: int) -> None:
    """Settle an attempt without a charge, unless another leader has charged it by now."""
    connection.execute(
        sa.update(tables.attempts)
        .where(_is(job_id, attempt), sa.text("charged_until < ended_at"))
        .values(charged_until=None)
    )


def is_any_uncharged(connection: sa.Connection) -> bool:
    """Return whether an attempt has ended that is not charged to its end."""
    query = sa.select(tables.attempts.c.job_id).where(sa.text("charged_until < ended_at"))
    return connection.execute(query.limit(1)).first() is not None


def _refund(connection: sa.Connection, row: Any, job_id: str, attempt: int) -> None:
    """Give back what a settled attempt was charged, at the mean rate of its priorities."""
    attempts = tables.attempts.c
    columns = (attempts.charged_seconds, attempts.device_seconds, attempts.ended_at)
    settled = connection.execute(sa.select(*columns).where(_is(job_id, attempt))).one()
    begin, end = _seconds(row.started_at), _seconds(settled.ended_at)
    if begin is not None and end is not None and end > begin:
        rate = _valid(settled.charged_seconds, 0.0) / (end - begin)
        current = read_ledger(connection, lock="shared")
        _add(connection, row.owner, -current.charge(begin, end, rate=rate))
        is_high = _is_high(row.priority)
        seconds = _valid(settled.device_seconds, end - begin)
        used_days.add(connection, row.owner, settled.ended_at, -seconds, is_high=is_high)


def rebase(connection: sa.Connection, half_life_seconds: float) -> bool:
    """Let the ledger begin now if its numbers grow large or the half-life has changed.

    What every owner has used counts as much right after it as before. Return whether it did.
    """
    at, columns = now(), tables.ledger.c
    before = read_ledger(connection, lock="exclusive")
    if before.half_life_seconds == half_life_seconds and not before.is_due(at.timestamp()):
        return False
    users = tables.users.c
    for user in connection.execute(sa.select(users.name, users.usage)).all():
        usage = before.decayed(_valid(user.usage, 0.0), at.timestamp())
        update = sa.update(tables.users).where(users.name == user.name)
        connection.execute(update.values(usage=usage))
    values = {"begins_at": at, "half_life_seconds": half_life_seconds}
    # Not deleted and inserted: charges that wait for the lock would find no row.
    update = sa.update(tables.ledger).where(columns.id == LEDGER_ID)
    if not connection.execute(update.values(values)).rowcount:
        connection.execute(sa.insert(tables.ledger), values | {"id": LEDGER_ID})
    return True


def _charged(connection: sa.Connection, job_id: str, attempt: int) -> Any:
    attempts, jobs = tables.attempts.c, tables.jobs.c
    times = (attempts.started_at, attempts.charged_until, attempts.ended_at)
    columns = (*times, attempts.share, jobs.owner, jobs.priority)
    query = sa.select(*columns).join_from(tables.attempts, tables.jobs).where(_is(job_id, attempt))
    # Locked, so that it does not end before it is charged as a running attempt.
    return connection.execute(query.with_for_update(of=tables.attempts)).one_or_none()


def _is(job_id: str, attempt: int) -> sa.ColumnElement[bool]:
    attempts = tables.attempts.c
    return sa.and_(attempts.job_id == job_id, attempts.number == attempt)


def _add(connection: sa.Connection, owner: str, amount: float) -> None:
    users = tables.users.c
    update = sa.update(tables.users).where(users.name == owner)
    connection.execute(update.values(usage=users.usage + amount))


def _rate(priority: Any) -> float:
    return rate_of(priority if priority in PRIORITY_NAMES else 0)


def _is_high(priority: Any) -> bool:
    return priority == HIGH


def _share(row: Any) -> float:
    """Return of how many devices an attempt is charged; 1 where the value is damaged."""
    return _valid(row.share, 1.0) or 1.0


def _seconds(value: Any) -> float | None:
    return value.timestamp() if isinstance(value, datetime) else None


def _valid(value: Any, default: float) -> float:
    is_valid = isinstance(value, float | int) and isfinite(value) and value >= 0
    return float(value) if is_valid else default
