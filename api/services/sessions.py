"""Sessions of people in a browser, which begin with a key or with a login code.

A session has a random token, of which only the digest is kept; the key itself is not kept at all.
"""

import hashlib
import secrets
import threading
import time
from dataclasses import dataclass, replace

from api.services.principal import Principal

SESSION_COOKIE = "trainshed"
IDLE_SECONDS = 12 * 3600
LIFE_SECONDS = 7 * 24 * 3600
#: A login code can be used once, within this time.
CODE_SECONDS = 600
#: Beyond these, the oldest are forgotten.
MAX_SESSIONS, MAX_CODES = 10_000, 100


@dataclass(frozen=True)
class Session:
    """A session of a person; the times are monotonic."""

    principal: Principal
    began_at: float
    used_at: float

    def is_over(self, now: float) -> bool:
        """Return whether the session was not used for too long, or is too old."""
        return now - self.used_at > IDLE_SECONDS or now - self.began_at > LIFE_SECONDS


class Sessions:
    """The sessions and the login codes of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[bytes, Session] = {}
        self._codes: dict[bytes, Session] = {}

    def begin(self, principal: Principal) -> str:
        """Begin a session of a person whose key was checked; return its token."""
        return self._issue(self._sessions, principal, MAX_SESSIONS)

    def find(self, token: str) -> Principal | None:
        """Return the person of a session; None if there is no such session any more."""
        now, digest = time.monotonic(), _digest(token)
        with self._lock:
            session = self._sessions.get(digest)
            if session is None:
                return None
            if session.is_over(now):
                del self._sessions[digest]
                return None
            self._sessions[digest] = replace(session, used_at=now)
            return session.principal

    def end(self, token: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(_digest(token), None)

    def issue_code(self, principal: Principal) -> str:
        """Return a code with which a browser can begin one session of this person."""
        return self._issue(self._codes, principal, MAX_CODES)

    def redeem(self, code: str) -> Principal | None:
        """Return the person of a login code, which is then used up; None for no valid code."""
        with self._lock:
            issued = self._codes.pop(_digest(code), None)
        if issued is None or time.monotonic() - issued.began_at > CODE_SECONDS:
            return None
        return issued.principal

    def _issue(self, kept: dict[bytes, Session], principal: Principal, most: int) -> str:
        token, now = secrets.token_urlsafe(32), time.monotonic()
        with self._lock:
            if len(kept) >= most:
                del kept[min(kept, key=lambda each: kept[each].used_at)]
            kept[_digest(token)] = Session(principal, now, now)
        return token


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
