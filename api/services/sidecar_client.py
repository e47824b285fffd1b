"""Requests to the sidecar, with a cache: each network is described once."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from threading import BoundedSemaphore
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa
from anyio import CapacityLimiter, to_thread
from sqlalchemy.dialects import postgresql, sqlite

from shared import sidecar, tables
from shared.clock import now
from shared.database import Database
from shared.errors import Fault, InvalidSpec, Unavailable

Response = dict[str, Any]

MAX_CACHED = 4096
#: A field that every stored response has.
PARAMETERS = "parameter_count"
#: Requests that this process has open at the sidecar, and how long another request waits to join.
MAX_OPEN_REQUESTS = 8
TURN_TIMEOUT_SECONDS = 1.0
#: Threads of the routes that may send requests; most responses are cached already.
THREADS = 16
#: Long requests of an operation that this process has open at the sidecar, and that wait to join.
MAX_OPEN_LONG, MAX_WAITING = 2, 8
#: For how long a confirmation is repeated without another request.
CONFIRMED_SECONDS = 10.0
#: Both kinds of database support `on_conflict_do_nothing`, each with its own insert.
INSERT = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class _Entry:
    """The cached response to one request."""

    def __init__(self, _digest: str) -> None:
        self.response: Response | None = None


class SidecarClient:
    """The sidecar, with its earlier responses cached in this process and in the database.

    Args:
        address: where the sidecar listens.
        database: keeps responses for the next process.
        version: of the catalogue; responses of another version are not used.
    """

    def __init__(self, address: str, database: Database, version: str) -> None:
        self.address = address
        self.version = version
        self.database = database
        self._cache = lru_cache(maxsize=MAX_CACHED)(_Entry)
        #: Until when a request counts as confirmed, by its digest.
        self._confirmed: dict[str, float] = {}
        self._turns = BoundedSemaphore(MAX_OPEN_REQUESTS)
        self._threads = CapacityLimiter(THREADS)
        self._long = defaultdict[str, CapacityLimiter](lambda: CapacityLimiter(MAX_OPEN_LONG))

    async def in_thread(
        self,
        work: Callable[Parameters, Result],
        *args: Parameters.args,
        **options: Parameters.kwargs,
    ) -> Result:
        """Run work that may send a request in a thread reserved for such work."""
        return await to_thread.run_sync(partial(work, *args, **options), limiter=self._threads)

    def responds(self) -> bool:
        """Return whether the sidecar responds now."""
        try:
            return sidecar.send(self.address, {"operation": "ping"}, timeout_seconds=1)["ok"]
        except Unavailable:
            return False

    def describe(self, fields: dict[str, Any]) -> Response:
        """Return the description of a network: parameter count, and memory where requested.

        Raises:
            InvalidSpec: the network cannot be built like this.
            Unavailable: the sidecar does not respond, and the response is not cached.
        """
        request = {"operation": "describe", **fields}
        digest = sidecar.digest({**request, "version": self.version})
        entry = self._cache(digest)
        response = entry.response or self._load(digest) or self._fetch(entry, digest, request)
        entry.response = _checked(response)
        return response

    def send(self, operation: str, fields: dict[str, Any]) -> Response:
        """Send any other request; its response is not cached.

        Raises:
            InvalidSpec: the sidecar finds faults in the request.
            Unavailable: the sidecar does not respond.
        """
        with self._turn():
            return _checked(sidecar.send(self.address, {"operation": operation, **fields}))

    def confirm(self, operation: str, fields: dict[str, Any]) -> None:
        """Send a request whose only response is a confirmation, unless there is a recent one.

        Raises:
            InvalidSpec: the sidecar finds faults in the request.
            Unavailable: the sidecar does not respond.
        """
        digest = sidecar.digest({"operation": operation, **fields})
        if time.monotonic() < self._confirmed.get(digest, 0.0):
            return
        self.send(operation, fields)
        self._confirmed[digest] = time.monotonic() + CONFIRMED_SECONDS

    async def send_long(self, operation: str, fields: dict[str, Any]) -> Response:
        """Send a request that may take long; others of its operation may wait for it.

        Raises:
            InvalidSpec: the sidecar finds faults in the request.
            Unavailable: the sidecar does not respond, or too many others wait already.
        """
        limiter = self._long[operation]
        if limiter.statistics().tasks_waiting >= MAX_WAITING:
            raise Unavailable("Too many requests of this kind wait already. Try again.")
        send = partial(
            sidecar.send,
            self.address,
            {"operation": operation, **fields},
            timeout_seconds=sidecar.LONG_TIMEOUT_SECONDS,
        )
        return _checked(await to_thread.run_sync(send, limiter=limiter), subject="request")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold one of the open requests that this process may have."""
        if not self._turns.acquire(timeout=TURN_TIMEOUT_SECONDS):
            raise Unavailable("Too many requests wait for the sidecar. Try again.")
        try:
            yield
        finally:
            self._turns.release()

    def _load(self, digest: str) -> Response | None:
        """Return a stored response; None if there is none, or none that can be read."""
        columns = tables.sidecar_responses.c
        with self.database.read() as connection:
            query = sa.select(columns.response).where(columns.request == digest)
            response = connection.execute(query).scalar_one_or_none()
        is_whole = isinstance(response, dict) and response.get("ok") and PARAMETERS in response
        return response if is_whole else None

    def _fetch(self, entry: _Entry, digest: str, request: dict[str, Any]) -> Response:
        with self._turn():
            if entry.response is not None:  # another thread fetched it during the wait
                return entry.response
            response = sidecar.send(self.address, request)
            if not response["ok"]:
                return response
            entry.response = response
        row = {"request": digest, "response": response, "created_at": now()}
        with self.database.write() as connection:
            insert = INSERT[connection.dialect.name](tables.sidecar_responses)
            # Another process may have stored the same response at the same time.
            connection.execute(insert.values(row).on_conflict_do_nothing())
        return response


def _checked(response: Response, *, subject: str = "specification") -> Response:
    if not response["ok"]:
        raise InvalidSpec([Fault(**fault) for fault in response["faults"]], subject=subject)
    return response
