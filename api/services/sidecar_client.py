"""Asks the sidecar what only torch knows of a network, once for each network and image size."""

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

REMEMBERED = 4096
#: Questions that the sidecar hears at once of this process, and how long one waits for its turn.
AT_ONCE = 8
TURN_SECONDS = 1.0
#: Threads of the routes that may ask: most of what they ask is known already.
THREADS = 16
#: The two kinds of database, which agree on `on_conflict_do_nothing`.
INSERT = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}

Given = ParamSpec("Given")
Found = TypeVar("Found")


def _slot(_digest: str) -> dict[str, Any]:
    """Room for one answer, kept by `lru_cache`."""
    return {"answer": None}


class SidecarClient:
    """The sidecar, with what it said before: in this process and in the database."""

    def __init__(self, address: str, database: Database, version: str) -> None:
        self.address = address
        #: Of the catalogue: what was said of an older one is not asked for any more.
        self.version = version
        self.database = database
        self._lately = lru_cache(maxsize=REMEMBERED)(_slot)
        self._turns = BoundedSemaphore(AT_ONCE)
        self._threads = CapacityLimiter(THREADS)

    async def in_thread(
        self, work: Callable[Given, Found], *args: Given.args, **options: Given.kwargs
    ) -> Found:
        """Run what may ask the sidecar, in threads of its own."""
        return await to_thread.run_sync(partial(work, *args, **options), limiter=self._threads)

    def answers(self) -> bool:
        """Whether the sidecar answers now."""
        try:
            return sidecar.ask(self.address, {"ask": "ping"}, timeout_seconds=1)["ok"]
        except Unavailable:
            return False

    def describe(self, question: dict[str, Any]) -> dict[str, Any]:
        """Parameter count, and what else the question asks for.

        Raises:
            InvalidSpec: the network cannot be built like this.
            Unavailable: the sidecar does not answer, and has not been asked this before.
        """
        question = {"ask": "describe", **question}
        digest = sidecar.digest({**question, "version": self.version})
        slot = self._lately(digest)
        answer = slot["answer"] or self._known(digest) or self._ask(slot, digest, question)
        if not answer["ok"]:
            raise InvalidSpec([Fault(**fault) for fault in answer["faults"]])
        slot["answer"] = answer
        return answer

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Anything else; nothing is remembered.

        Raises:
            InvalidSpec: the sidecar finds a fault in it.
            Unavailable: the sidecar does not answer.
        """
        with self._turn():
            answer = sidecar.ask(self.address, question)
        if not answer["ok"]:
            raise InvalidSpec([Fault(**fault) for fault in answer["faults"]])
        return answer

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """A place among those who ask."""
        if not self._turns.acquire(timeout=TURN_SECONDS):
            raise Unavailable("Many ask the sidecar, which checks specifications, now; try again.")
        try:
            yield
        finally:
            self._turns.release()

    def _known(self, digest: str) -> dict[str, Any] | None:
        with self.database.read() as connection:
            query = sa.select(tables.sidecar_answers.c.answer)
            return connection.execute(
                query.where(tables.sidecar_answers.c.question == digest)
            ).scalar_one_or_none()

    def _ask(self, slot: dict[str, Any], digest: str, question: dict[str, Any]) -> dict[str, Any]:
        with self._turn():
            if slot["answer"]:  # whoever had the turn before asked the same
                return slot["answer"]
            answer = sidecar.ask(self.address, question)
            if not answer["ok"]:
                return answer
            slot["answer"] = answer
        row = {"question": digest, "answer": answer, "created_at": now()}
        with self.database.write() as connection:
            insert = INSERT[connection.dialect.name](tables.sidecar_answers)
            # Somebody else may have asked the same at the same time, and heard the same.
            connection.execute(insert.values(row).on_conflict_do_nothing())
        return answer
