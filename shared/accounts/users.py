"""The people who share the box."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from shared import tables
from shared.accounts.roles import ADMIN, Role
from shared.clock import now
from shared.errors import Conflict, NotFound
from shared.jobs.stored_row import StoredRow

NAME_PATTERN = "[a-z0-9][a-z0-9._-]{0,63}"
#: Addresses that a name would hide.
RESERVED = ("me",)


@dataclass(frozen=True, kw_only=True)
class UserRow(StoredRow):
    """A person."""

    TABLE: ClassVar[str] = "users"
    KEY: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    role: Role
    weight: float
    usage: float
    last_start_at: datetime | None
    limits: dict[str, Any]
    created_at: datetime
    disabled_at: datetime | None


def get_user(connection: sa.Connection, name: str, *, lock: bool = False) -> UserRow:
    """Return a person.

    Args:
        connection: for reading, or in the transaction of a change.
        name: of the person.
        lock: whether to lock the row until the end of the transaction.

    Raises:
        NotFound: there is no such person.
        RowUnreadable: the row cannot be read.
    """
    query = sa.select(tables.users).where(tables.users.c.name == name)
    query = query.with_for_update() if lock else query
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no user {name[:64]}.")
    return UserRow.read(row)


def lock_user(connection: sa.Connection, name: str) -> None:
    """Lock the row of a person, if there is one, until the end of the transaction."""
    query = sa.select(tables.users.c.name).where(tables.users.c.name == name)
    connection.execute(query.with_for_update())


def list_users(connection: sa.Connection, *, limit: int, after: str | None) -> list[UserRow]:
    """Return at most `limit` people by name, after a name."""
    query = sa.select(tables.users).order_by(tables.users.c.name).limit(limit)
    if after is not None:
        query = query.where(tables.users.c.name > after)
    return UserRow.read_all(connection.execute(query).mappings())


def add_user(
    connection: sa.Connection, name: str, role: Role, *, weight: float, limits: dict[str, Any]
) -> None:
    """Add a person.

    Raises:
        Conflict: the name is taken, also by a disabled person.
    """
    values = {"name": name, "role": role, "weight": weight, "limits": limits, "created_at": now()}
    try:
        # A look before would miss a person whom another transaction is adding.
        connection.execute(sa.insert(tables.users), values)
    except IntegrityError as error:
        text = f"There is a user {name} already; change it with PATCH /v1/users/{name}."
        raise Conflict(text) from error


def update_user(connection: sa.Connection, name: str, values: dict[str, Any]) -> None:
    """Change columns of a person.

    Raises:
        Conflict: it would take the role from the user of TRAINSHED_ADMIN_KEY.
    """
    if name == ADMIN and values.get("role", ADMIN) != ADMIN:
        raise Conflict(f"{ADMIN} is the user of TRAINSHED_ADMIN_KEY, who is always an admin.")
    connection.execute(sa.update(tables.users).where(tables.users.c.name == name).values(values))


def disable_user(connection: sa.Connection, name: str) -> None:
    """Disable a person: their keys and sessions end, their jobs stay.

    Raises:
        Conflict: it is the user of TRAINSHED_ADMIN_KEY, the admin who remains.
    """
    if name == ADMIN:
        raise Conflict(
            f"{ADMIN} is the user of TRAINSHED_ADMIN_KEY and cannot be disabled: without an admin "
            "nobody could manage the box. Change that key instead."
        )
    at, keys, sessions = now(), tables.keys.c, tables.sessions.c
    of_user = sa.select(keys.id).where(keys.user == name)
    connection.execute(sa.delete(tables.sessions).where(sessions.key_id.in_(of_user)))
    connection.execute(
        sa.update(tables.keys)
        .where(keys.user == name, keys.revoked_at.is_(None))
        .values(revoked_at=at)
    )
    connection.execute(
        sa.update(tables.users)
        .where(tables.users.c.name == name, tables.users.c.disabled_at.is_(None))
        .values(disabled_at=at)
    )
