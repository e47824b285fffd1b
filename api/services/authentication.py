"""Finds who makes a request, by a key or by the session of a browser.

The answer is remembered for a second at most, so a key that is revoked, or a role that is changed,
counts everywhere within a second.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace

from fastapi.concurrency import run_in_threadpool

from api.services.keys import KeyCheck
from api.services.principal import Principal, Visibility
from shared.accounts import audit, keys, sessions
from shared.accounts.key_format import digest, id_of
from shared.accounts.keys import KeyRow
from shared.accounts.roles import ADMIN, Level, Role, level_of_scopes
from shared.accounts.users import UserRow
from shared.database import Database
from shared.errors import RowUnreadable, Unauthorized, Unavailable
from shared.ids import new_id
from shared.jobs import unreadable_rows

#: The cookie of a session.
SESSION_COOKIE = "trainshed"
MAX_AGE_SECONDS = 1.0
#: Of the key of the settings.
ADMIN_ROLE: Role = "admin"
MAX_REMEMBERED = 10_000


class Authenticator:
    """Turns keys and cookies into principals."""

    def __init__(self, database: Database, admin_key: KeyCheck, visibility: Visibility) -> None:
        self.database = database
        self.admin_key = admin_key
        self.visibility: Visibility = visibility
        self._admin = Principal(ADMIN, ADMIN_ROLE, Level.ADMIN, key_id=ADMIN, visibility=visibility)
        #: By the digest of a key or cookie, with the time of the check.
        self._known = OrderedDict[str, tuple[Principal, float]]()

    async def of_key(self, text: str) -> Principal:
        """Return who has a key.

        Raises:
            Unauthorized: nobody, or it has ended.
        """
        if self.admin_key.is_admin(text):
            return _for_request(self._admin)
        if id_of(text) is None:
            raise Unauthorized(keys.INVALID)
        return await self._remembered(text, self._read_key)

    async def of_session(self, cookie: str) -> Principal:
        """Return whose session a cookie stands for.

        Raises:
            Unauthorized: there is no such session, or it or its key has ended.
        """
        return await self._remembered(cookie, self._read_session)

    async def log_in(self, text: str) -> str:
        """Open a session for a key, and return its cookie.

        Raises:
            Unauthorized: the key is not valid.
        """
        return await self.open_session(await self.of_key(text))

    async def open_session(self, principal: Principal) -> str:
        """Open a session of a person who has logged in, and return its cookie."""
        return await run_in_threadpool(self._open_session, principal)

    async def check(self, principal: Principal) -> None:
        """Check that a person who was found at the begin of a long request may still read.

        Raises:
            Unauthorized: the key or session has ended, or the role has changed.
        """
        if await run_in_threadpool(self.list_ended, {principal}):
            raise Unauthorized(
                "The key or session has ended, or your role has changed; repeat the request."
            )

    def list_ended(self, principals: Collection[Principal]) -> set[Principal]:
        """Return the people among these whose key or session has ended or whose role is another."""
        key_ids = {each.key_id for each in principals} - {ADMIN}
        session_ids = {each.session_id for each in principals} - {""}
        roles: dict[str, str] = {}
        is_open = set[str]()
        if key_ids or session_ids:
            with self.database.read() as connection:
                if key_ids:
                    roles = keys.roles_of_valid(connection, key_ids)
                if session_ids:
                    is_open = sessions.list_open(connection, session_ids)
        roles[ADMIN] = ADMIN_ROLE
        return {
            each
            for each in principals
            if roles.get(each.key_id) != each.role
            or (each.session_id and each.session_id not in is_open)
        }

    async def log_out(self, cookie: str) -> None:
        """End a session; a cookie that is not valid has no effect."""
        with suppress(Unauthorized):
            principal = await self.of_session(cookie)
            await run_in_threadpool(self._end_session, principal, cookie)

    def _end_session(self, principal: Principal, cookie: str) -> None:
        self._known.pop(digest(cookie), None)
        with self.database.write() as connection:
            sessions.end_session(connection, cookie)
            audit.record(connection, principal.actor, "session.end", principal.session_id)

    def find_remembered(self, text: str) -> Principal | None:
        """Return who has a key if that is remembered, without a query; without a request's id."""
        if self.admin_key.is_admin(text):
            return self._admin
        known = self._known.get(digest(text))
        if known is None or time.monotonic() - known[1] > MAX_AGE_SECONDS:
            return None
        return None if known[0].session_id else known[0]

    async def _remembered(self, secret: str, read: Callable[[str], Principal]) -> Principal:
        name = digest(secret)
        known = self._known.get(name)
        if known is None or time.monotonic() - known[1] > MAX_AGE_SECONDS:
            self._known.pop(name, None)
            began_at = time.monotonic()
            known = self._known[name] = (await run_in_threadpool(read, secret), began_at)
            if len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)
        return _for_request(known[0])

    def _read_key(self, text: str) -> Principal:
        try:
            with self.database.read() as connection:
                key, user = keys.authenticate(connection, text)
        except RowUnreadable as error:
            raise _refused(error) from error
        return self._used(key, user)

    def _read_session(self, cookie: str) -> Principal:
        try:
            with self.database.read() as connection:
                key_id = sessions.find_key_id(connection, cookie)
                # An unknown session is compared like any other, and refused by `check_session`.
                is_own = key_id not in (None, ADMIN)
                key = keys.get_key(connection, key_id) if is_own and key_id else None
                sha256 = self.admin_key.sha256 if key is None else key.secret_sha256
                session = sessions.check_session(connection, cookie, sha256)
                found = None if key is None else keys.find_valid(connection, key)
        except RowUnreadable as error:
            raise _refused(error) from error
        if sessions.needs_use(session):
            with suppress(Unavailable), self.database.write() as connection:
                sessions.record_use(connection, session)
        principal = self._admin if found is None else self._used(*found)
        return replace(principal, session_id=session.id)

    def _open_session(self, principal: Principal) -> str:
        with self.database.write() as connection:
            sha256 = self.admin_key.sha256
            if principal.key_id != ADMIN:
                sha256 = keys.get_key(connection, principal.key_id).secret_sha256
            cookie = sessions.open_session(connection, principal.key_id, sha256)
            session_id = cookie.partition(".")[0]
            audit.record(connection, principal.actor, "session.begin", session_id)
        return cookie

    def _used(self, key: KeyRow, user: UserRow) -> Principal:
        """Return the principal of a valid key, and note that the key is used."""
        if keys.needs_last_used(key):
            with suppress(Unavailable), self.database.write() as connection:
                keys.record_last_used(connection, key.id)
        return Principal(
            user.name,
            user.role,
            level_of_scopes(key.scopes),
            key_id=key.id,
            visibility=self.visibility,
        )


def _for_request(principal: Principal) -> Principal:
    return replace(principal, request_id=new_id("req"))


def _refused(error: RowUnreadable) -> Unauthorized:
    """Note a damaged row, with which nobody gets in."""
    unreadable_rows.note(error)
    return Unauthorized("The record of this key cannot be read; ask an admin.")
