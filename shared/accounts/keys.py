"""The keys of people. What is stored of a key is its id and a digest."""

import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

import sqlalchemy as sa

from shared import tables
from shared.accounts.key_format import NewKey, digest, id_of, new_key
from shared.accounts.roles import SCOPES, Scope
from shared.accounts.users import UserRow
from shared.clock import now
from shared.errors import Conflict, NotFound, Unauthorized
from shared.jobs.stored_row import StoredRow

#: Keys of a person that are valid at the same time.
MAX_KEYS = 100
LAST_USED_EVERY = timedelta(seconds=60)
#: Compared where there is no key of this id, so that both take equally long.
DUMMY_SHA256 = digest("")
INVALID = "The key is not valid."


def _check_scopes(scopes: list[Any]) -> str | None:
    return None if scopes and all(scope in SCOPES for scope in scopes) else "has an unknown scope"


@dataclass(frozen=True, kw_only=True)
class KeyRow(StoredRow):
    """A key without its secret."""

    TABLE: ClassVar[str] = "keys"
    CHECKS: ClassVar[Any] = {"scopes": _check_scopes}

    id: str
    user: str
    name: str
    secret_sha256: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None

    def why_ended(self, user: UserRow) -> str | None:
        """Return why the key is no longer valid, or None."""
        if self.revoked_at is not None:
            return "The key was revoked."
        if self.expires_at <= now():
            return "The key has expired; make a new key or ask an admin for one."
        if user.disabled_at is not None:
            return "The account is disabled; ask an admin."
        return None


def add_key(
    connection: sa.Connection, user: str, name: str, scopes: Sequence[Scope], lifetime: timedelta
) -> NewKey:
    """Make a key for a person.

    Raises:
        Conflict: the person has too many valid keys.
    """
    keys, at = tables.keys.c, now()
    valid = sa.select(sa.func.count()).select_from(tables.keys)
    valid = valid.where(keys.user == user, keys.revoked_at.is_(None), keys.expires_at > at)
    if connection.execute(valid).scalar_one() >= MAX_KEYS:
        raise Conflict(f"{user} has {MAX_KEYS} valid keys; revoke a key first.")
    made = new_key()
    values = {
        "id": made.id,
        "user": user,
        "name": name,
        "secret_sha256": made.sha256,
        "scopes": [scope for scope in SCOPES if scope in scopes],
        "created_at": at,
        "expires_at": at + lifetime,
    }
    connection.execute(sa.insert(tables.keys), values)
    return made


def get_key(connection: sa.Connection, key_id: str, *, lock: bool = False) -> KeyRow:
    """Return a key.

    Raises:
        NotFound: there is no such key.
    """
    query = sa.select(tables.keys).where(tables.keys.c.id == key_id)
    query = query.with_for_update() if lock else query
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no such key; GET /v1/keys lists the keys.")
    return KeyRow.read(row)


def list_keys(
    connection: sa.Connection, *, limit: int, after: str | None, user: str | None
) -> list[KeyRow]:
    """Return at most `limit` keys, newest first, of a person or of all."""
    keys = tables.keys.c
    query = sa.select(tables.keys).order_by(keys.created_at.desc(), keys.id.desc()).limit(limit)
    if after is not None:
        last = sa.select(keys.created_at).where(keys.id == after).scalar_subquery()
        is_older = sa.or_(keys.created_at < last, sa.and_(keys.created_at == last, keys.id < after))
        query = query.where(is_older)
    if user is not None:
        query = query.where(keys.user == user)
    return KeyRow.read_all(connection.execute(query).mappings())


def rotate_key(connection: sa.Connection, row: KeyRow, grace: timedelta) -> NewKey:
    """Make a key of the same person, scopes and lifetime; the old key expires after the grace.

    Raises:
        Conflict: the old key has ended already.
    """
    at = now()
    if row.revoked_at is not None or row.expires_at <= at:
        raise Conflict("The key has ended; make a new key.")
    made = add_key(connection, row.user, row.name, row.scopes, row.expires_at - row.created_at)
    expires_at = min(row.expires_at, at + grace)
    update = sa.update(tables.keys).where(tables.keys.c.id == row.id)
    connection.execute(update.values(expires_at=expires_at))
    return made


def revoke_key(connection: sa.Connection, key_id: str) -> None:
    """End a key and its sessions; repeating this has no effect."""
    keys = tables.keys.c
    connection.execute(
        sa.update(tables.keys)
        .where(keys.id == key_id, keys.revoked_at.is_(None))
        .values(revoked_at=now())
    )
    connection.execute(sa.delete(tables.sessions).where(tables.sessions.c.key_id == key_id))


def authenticate(connection: sa.Connection, text: str) -> tuple[KeyRow, UserRow]:
    """Return the key with this text, and its person.

    Raises:
        Unauthorized: the key is malformed or unknown, or has ended.
        RowUnreadable: the row of the key or of the person cannot be read.
    """
    key_id = id_of(text)
    if key_id is None:
        raise Unauthorized(INVALID)
    row = connection.execute(sa.select(tables.keys).where(tables.keys.c.id == key_id)).mappings()
    columns = row.one_or_none()
    stored = DUMMY_SHA256 if columns is None else str(columns["secret_sha256"])
    is_same = hmac.compare_digest(digest(text), stored)
    if columns is None or not is_same:
        raise Unauthorized(INVALID)
    return find_valid(connection, KeyRow.read(columns))


def find_valid(connection: sa.Connection, key: KeyRow) -> tuple[KeyRow, UserRow]:
    """Return a key that has not ended, and its person.

    Raises:
        Unauthorized: it has ended.
    """
    query = sa.select(tables.users).where(tables.users.c.name == key.user)
    columns = connection.execute(query).mappings().one_or_none()
    if columns is None:
        raise Unauthorized(INVALID)
    user = UserRow.read(columns)
    why = key.why_ended(user)
    if why is not None:
        raise Unauthorized(why)
    return key, user


def roles_of_valid(connection: sa.Connection, key_ids: Collection[str]) -> dict[str, str]:
    """Return the keys among these that are valid, each with the role of its person."""
    keys, users = tables.keys.c, tables.users.c
    query = (
        sa.select(keys.id, users.role)
        .select_from(tables.keys.join(tables.users, users.name == keys.user))
        .where(keys.id.in_(key_ids), keys.revoked_at.is_(None), keys.expires_at > now())
        .where(users.disabled_at.is_(None))
    )
    return {row.id: row.role for row in connection.execute(query)}


def needs_last_used(key: KeyRow) -> bool:
    """Return whether the last use that is stored is old enough to be replaced."""
    return key.last_used_at is None or now() - key.last_used_at >= LAST_USED_EVERY


def record_last_used(connection: sa.Connection, key_id: str) -> None:
    """Store that a key is used now."""
    update = sa.update(tables.keys).where(tables.keys.c.id == key_id)
    connection.execute(update.values(last_used_at=now()))
