"""Responses that are given again while the database has not changed."""

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from math import inf

from fastapi import Response

from api.services.database_version import DatabaseVersion

#: Bytes of all bodies together.
MAX_BYTES = 16 * 2**20
#: How long a position in the queue may be kept, which is up to a second old when it is read.
QUEUED_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """A response to a caller who may read the objects of its owner."""

    #: None where the response depends on who asks, which is then part of the name.
    owner: str | None
    etag: str | None
    headers: list[tuple[bytes, bytes]]
    #: None if only the ETag was needed so far.
    body: bytes | None
    version: Hashable
    expires_at: float


class ResponseCache:
    """Remembers responses by name; the responses that were used least lately are forgotten."""

    def __init__(self, version: DatabaseVersion) -> None:
        self.version = version
        self._responses = OrderedDict[Hashable, CachedResponse]()
        self._bytes = 0
        self._lock = threading.Lock()

    def find(self, name: Hashable) -> CachedResponse | None:
        """Return a response if it is still what the database says."""
        found = self._responses.get(name)
        if found is None or found.expires_at < time.monotonic():
            return None
        return found if found.version == self.version.current() else None

    def put(
        self,
        name: Hashable,
        response: Response,
        version: Hashable | None,
        *,
        owner: str | None = None,
        is_queued: bool = False,
    ) -> None:
        """Remember a response.

        Args:
            name: of what was requested.
            response: a 200, or a 304 of which only the ETag counts.
            version: the version of the database before the response was read.
            owner: whose object it is.
            is_queued: whether it has positions in the queue, which change with time.
        """
        if version is None:
            return
        expires_at = time.monotonic() + QUEUED_SECONDS if is_queued else inf
        body = bytes(response.body) if response.status_code == 200 else None
        etag = response.headers.get("etag")
        entry = CachedResponse(owner, etag, response.raw_headers, body, version, expires_at)
        with self._lock:
            self._forget(name)
            self._responses[name] = entry
            self._bytes += _size(entry)
            while self._bytes > MAX_BYTES:
                self._forget(next(iter(self._responses)))

    def _forget(self, name: Hashable) -> None:
        entry = self._responses.pop(name, None)
        if entry is not None:
            self._bytes -= _size(entry)


def _size(entry: CachedResponse) -> int:
    """Return about how many bytes an entry takes."""
    return 500 + len(entry.body or b"")
