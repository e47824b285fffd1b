"""Codes with which a browser logs in once, without a key. They are kept in this process."""

import secrets
import threading
import time

from api.services.principal import Principal
from shared.accounts.key_format import digest

#: A code can be used once, within this time.
CODE_SECONDS = 600
#: Beyond these, the oldest are forgotten.
MAX_CODES = 100


class LoginCodes:
    """The codes that were not used yet, by their digests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._issued: dict[str, tuple[Principal, float]] = {}

    def issue(self, principal: Principal) -> str:
        """Return a code with which a browser can begin one session of this person."""
        code = secrets.token_urlsafe(32)
        with self._lock:
            while len(self._issued) >= MAX_CODES:
                del self._issued[next(iter(self._issued))]
            self._issued[digest(code)] = (principal, time.monotonic())
        return code

    def redeem(self, code: str) -> Principal | None:
        """Return the person of a code, which is then used up; None for no valid code."""
        with self._lock:
            principal, issued_at = self._issued.pop(digest(code), (None, 0.0))
        return principal if time.monotonic() - issued_at <= CODE_SECONDS else None
