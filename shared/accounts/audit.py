"""The audit: who changed what, written in the transaction of the change and never altered."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.ids import new_id
from shared.jobs.stored_row import StoredRow

MAX_OBJECT_LENGTH = 100
_INSERT = sa.insert(tables.audit)


@dataclass(frozen=True)
class Actor:
    """Who makes a change, and with which key and request."""

    user: str
    key_id: str
    request_id: str


@dataclass(frozen=True, kw_only=True)
class AuditRow(StoredRow):
    """A change."""

    TABLE: ClassVar[str] = "audit"

    id: str
    at: datetime
    user: str
    key_id: str
    action: str
    object: str
    outcome: str
    request_id: str
    changes: dict[str, Any]


def record(
    connection: sa.Connection,
    actor: Actor,
    action: str,
    subject: str,
    changes: dict[str, Any] | None = None,
) -> None:
    """Record a change.

    Args:
        connection: in the transaction of the change.
        actor: who makes it.
        action: such as `job.cancel`.
        subject: the id of what is changed.
        changes: the new values of what changed; never a secret.
    """
    connection.execute(
        _INSERT,
        {
            "id": new_id("aud"),
            "at": now(),
            "user": actor.user,
            "key_id": actor.key_id,
            "action": action,
            "object": subject[:MAX_OBJECT_LENGTH],
            "outcome": "ok",
            "request_id": actor.request_id,
            "changes": changes or {},
        },
    )


def list_changes(
    connection: sa.Connection,
    *,
    limit: int,
    after: str | None = None,
    only_user: str | None = None,
    **filters: str | None,
) -> list[AuditRow]:
    """Return at most `limit` changes, newest first, older than `after`.

    Args:
        connection: for reading.
        limit: maximum number of rows.
        after: the id of the last row of the page before.
        only_user: whose changes may be read; None for all.
        **filters: values of `user`, `action` and `object`.
    """
    columns = tables.audit.c
    query = sa.select(tables.audit).order_by(columns.id.desc()).limit(limit)
    if after is not None:
        query = query.where(columns.id < after)
    if only_user is not None:
        query = query.where(columns.user == only_user)
    for name, value in filters.items():
        if value is not None:
            query = query.where(columns[name] == value)
    return AuditRow.read_all(connection.execute(query).mappings())
