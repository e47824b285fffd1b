"""The threads in which a kind of question is thought about, and for how long.

A question that nobody waits for any more cannot be stopped once it is being thought about; it
keeps its thread. So each kind has threads of its own, and a question that has not begun is
dropped with whoever asked it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as OutOfPatience
from threading import BoundedSemaphore
from typing import Any

from shared.desk import PATIENCE

#: A little less than the API's own patience, so that it hears the answer.
ANSWER_SECONDS = PATIENCE - 1
Answer = dict[str, Any]
BUSY = {"ok": False, "busy": "The desk has more to think about than it can now; try again."}


class Thinking:
    """Answers one kind of question, some at once."""

    def __init__(
        self,
        answer: Callable[[dict[str, Any]], Answer],
        *,
        threads: int,
        waiting: int,
        too_long: dict[str, str] | None,
        seconds: float = ANSWER_SECONDS,
    ) -> None:
        """Open the threads.

        Args:
            answer: what is done with a question.
            threads: how many are thought about at once.
            waiting: how many may wait for a thread; more would not be answered in time.
            too_long: the fault of a question that takes too long; None where it has none, and
                is only to be asked again.
            seconds: how long is waited for an answer.
        """
        self._answer = answer
        self._pool = ThreadPoolExecutor(threads)
        self._room = BoundedSemaphore(threads + waiting)
        self._too_long = too_long
        self._seconds = seconds

    def about(self, question: dict[str, Any]) -> Answer:
        """The answer; "busy" where there is none in time and the question is not to blame."""
        if not self._room.acquire(blocking=False):
            return BUSY
        future = self._pool.submit(self._answer, question)
        future.add_done_callback(lambda _: self._room.release())
        try:
            return future.result(self._seconds)
        except OutOfPatience:
            if future.cancel() or self._too_long is None:
                return BUSY
            return {"ok": False, "faults": [self._too_long]}
