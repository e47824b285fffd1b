"""Ends streams whose key or session ends or whose role changes; a round is one check for all."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import structlog
from fastapi.concurrency import run_in_threadpool

from api.services.authentication import Authenticator
from api.services.principal import Principal
from shared.errors import Unavailable

log = structlog.get_logger()

#: With the query, well below the two seconds after which a stream has ended.
ROUND_SECONDS = 0.5


class Permit:
    """Whether a stream may continue."""

    def __init__(self) -> None:
        self.is_revoked = False


class Permits:
    """The permits of the open streams, by their holders; a task watches them while there are."""

    def __init__(
        self, authenticator: Authenticator, on_revoked: Callable[[], Awaitable[None]]
    ) -> None:
        """Watch nothing yet.

        Args:
            authenticator: says whose keys and sessions have ended.
            on_revoked: called when permits were revoked, to wake streams that wait.
        """
        self._authenticator = authenticator
        self._on_revoked = on_revoked
        self._held = defaultdict[Principal, set[Permit]](set)
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def hold(self, principal: Principal) -> Iterator[Permit]:
        """Yield the permit of a stream, which is revoked when the key ends or the role changes."""
        permit, holder = Permit(), replace(principal, request_id="")
        self._held[holder].add(permit)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            yield permit
        finally:
            self._held[holder].discard(permit)
            if not self._held[holder]:
                del self._held[holder]

    async def _watch(self) -> None:
        while self._held:
            try:
                ended = await run_in_threadpool(self._authenticator.list_ended, list(self._held))
            except Unavailable as error:
                log.warning("the database does not respond", error=str(error))
                ended = set[Principal]()
            for holder in ended & self._held.keys():
                for permit in self._held[holder]:
                    permit.is_revoked = True
            if ended:
                await self._on_revoked()
            await asyncio.sleep(ROUND_SECONDS)
