"""Ends streams whose key is revoked, with a single query per round for the keys of all streams."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

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
    """The permits of the open streams, by their keys; a task watches them while there are any."""

    def __init__(
        self, authenticator: Authenticator, on_revoked: Callable[[], Awaitable[None]]
    ) -> None:
        """Watch nothing yet.

        Args:
            authenticator: says which keys have ended.
            on_revoked: called when permits were revoked, to wake streams that wait.
        """
        self._authenticator = authenticator
        self._on_revoked = on_revoked
        self._held = defaultdict[str, set[Permit]](set)
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def hold(self, principal: Principal) -> Iterator[Permit]:
        """Yield the permit of a stream, which is revoked when the key ends."""
        permit = Permit()
        self._held[principal.key_id].add(permit)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            yield permit
        finally:
            self._held[principal.key_id].discard(permit)
            if not self._held[principal.key_id]:
                del self._held[principal.key_id]

    async def _watch(self) -> None:
        while self._held:
            try:
                ended = await run_in_threadpool(self._authenticator.list_ended, list(self._held))
            except Unavailable as error:
                log.warning("the database does not respond", error=str(error))
                ended = set[str]()
            for key_id in ended & self._held.keys():
                for permit in self._held[key_id]:
                    permit.is_revoked = True
            if ended:
                await self._on_revoked()
            await asyncio.sleep(ROUND_SECONDS)
