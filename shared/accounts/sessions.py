"""Sessions of browsers: a cookie stands for a key and ends with it.

The cookie is `<id>.<secret>`. Stored is a digest of the secret and of the key's digest together, so
that the session ends when the key is replaced, and the table alone reveals nothing of the key.
"""

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

import sqlalchemy as sa

from shared import tables
from shared.accounts.key_format import SECRET_LENGTH, digest, random_text
from shared.accounts.keys import DUMMY_SHA256
from shared.accounts.roles import ADMIN
from shared.clock import now
from shared.errors import NotFound, Unauthorized
from shared.ids import is_id, new_id
from shared.jobs.stored_row import StoredRow

PREFIX = "ses"
IDLE = timedelta(hours=12)
LIFETIME = timedelta(days=7)
#: Sessions of a key; the oldest end first.
MAX_SESSIONS = 100
#: The last use is stored at most this often.
LAST_USED_EVERY = timedelta(seconds=60)
ENDED = "The session has ended; log in again."


@dataclass(frozen=True, kw_only=True)
class SessionRow(StoredRow):
    """A session without its secret."""

    TABLE: ClassVar[str] = "sessions"

    id: str
    key_id: str
    secret_sha256: str
    created_at: datetime
    last_used_at: datetime

    @property
    def has_ended(self) -> bool:
        """Whether the session is too old, or was not used for too long."""
        return now() >= self.ends_at

    @property
    def ends_at(self) -> datetime:
        """When the session ends if it is not used again."""
        return min(self.created_at + LIFETIME, self.last_used_at + IDLE)


def open_session(connection: sa.Connection, key_id: str, key_sha256: str) -> str:
    """Record a session and return its cookie; sessions that have ended are deleted.

    Args:
        connection: in a transaction.
        key_id: of the key that was shown at the login.
        key_sha256: the digest of that key.
    """
    at, sessions = now(), tables.sessions.c
    is_old = (sessions.created_at <= at - LIFETIME) | (sessions.last_used_at <= at - IDLE)
    connection.execute(sa.delete(tables.sessions).where(is_old))
    of_key = sa.select(sessions.id).where(sessions.key_id == key_id)
    oldest = connection.execute(of_key.order_by(sessions.id.desc()).offset(MAX_SESSIONS - 1))
    connection.execute(sa.delete(tables.sessions).where(sessions.id.in_(list(oldest.scalars()))))
    session_id, secret = new_id(PREFIX), random_text(SECRET_LENGTH)
    values = {
        "id": session_id,
        "key_id": key_id,
        "secret_sha256": _bound(secret, key_sha256),
        "created_at": at,
        "last_used_at": at,
    }
    connection.execute(sa.insert(tables.sessions), values)
    return f"{session_id}.{secret}"


def find_key_id(connection: sa.Connection, cookie: str) -> str | None:
    """Return the key that a cookie names, or None for an unknown session.

    The cookie is still to be checked by `check_session`.
    """
    row = _find(connection, cookie)
    return None if row is None else row.key_id


def check_session(connection: sa.Connection, cookie: str, key_sha256: str) -> SessionRow:
    """Return the session of a cookie.

    Args:
        connection: for reading.
        cookie: as the browser sent it.
        key_sha256: the digest of the session's key as it is now.

    Raises:
        Unauthorized: the cookie is wrong, or the session or its key has ended.
    """
    row = _find(connection, cookie)
    secret = cookie.partition(".")[2]
    stored = DUMMY_SHA256 if row is None else row.secret_sha256
    is_same = hmac.compare_digest(_bound(secret, key_sha256), stored)
    if row is None or not is_same or row.has_ended:
        raise Unauthorized(ENDED)
    return row


def record_use(connection: sa.Connection, row: SessionRow) -> None:
    """Store that a session is used now; call it where `needs_use` says so."""
    update = sa.update(tables.sessions).where(tables.sessions.c.id == row.id)
    connection.execute(update.values(last_used_at=now()))


def needs_use(row: SessionRow) -> bool:
    """Return whether the last use that is stored is old enough to be replaced."""
    return now() - row.last_used_at >= LAST_USED_EVERY


def end_session(connection: sa.Connection, cookie: str) -> None:
    """Delete a session, if there is one."""
    session_id = cookie.partition(".")[0]
    connection.execute(sa.delete(tables.sessions).where(tables.sessions.c.id == session_id))


def list_open(connection: sa.Connection, session_ids: Collection[str]) -> set[str]:
    """Return the sessions among these that have not ended."""
    sessions = tables.sessions.c
    query = sa.select(sessions.id).where(sessions.id.in_(session_ids), *_has_not_ended())
    return set(connection.execute(query).scalars())


def list_sessions(
    connection: sa.Connection, user: str, *, limit: int, after: str | None
) -> list[SessionRow]:
    """Return at most `limit` sessions of a person that have not ended, newest first."""
    sessions = tables.sessions.c
    query = sa.select(tables.sessions).where(_is_of(user), *_has_not_ended())
    if after is not None:
        query = query.where(sessions.id < after)
    rows = connection.execute(query.order_by(sessions.id.desc()).limit(limit)).mappings()
    return SessionRow.read_all(rows)


def end_session_of(connection: sa.Connection, user: str, session_id: str) -> SessionRow:
    """Delete a session of a person and return it.

    Raises:
        NotFound: the person has no such session, or it has ended.
        RowUnreadable: its row cannot be read.
    """
    sessions = tables.sessions.c
    query = sa.select(tables.sessions).where(
        sessions.id == session_id, _is_of(user), *_has_not_ended()
    )
    columns = connection.execute(query).mappings().one_or_none()
    if columns is None:
        raise NotFound("There is no such session; GET /v1/sessions lists the sessions.")
    row = SessionRow.read(columns)
    connection.execute(sa.delete(tables.sessions).where(sessions.id == session_id))
    return row


def _is_of(user: str) -> sa.ColumnElement[bool]:
    """Return the condition for the sessions of a person."""
    key_id = tables.sessions.c.key_id
    is_own = key_id.in_(sa.select(tables.keys.c.id).where(tables.keys.c.user == user))
    return is_own | (key_id == ADMIN) if user == ADMIN else is_own


def _has_not_ended() -> tuple[sa.ColumnElement[bool], ...]:
    at, sessions = now(), tables.sessions.c
    return sessions.created_at > at - LIFETIME, sessions.last_used_at > at - IDLE


def _find(connection: sa.Connection, cookie: str) -> SessionRow | None:
    session_id = cookie.partition(".")[0]
    if not is_id(PREFIX, session_id):
        return None
    query = sa.select(tables.sessions).where(tables.sessions.c.id == session_id)
    columns = connection.execute(query).mappings().one_or_none()
    return None if columns is None else SessionRow.read(columns)


def _bound(secret: str, key_sha256: str) -> str:
    return digest(f"{secret}.{key_sha256}")
