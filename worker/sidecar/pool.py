"""The threads in which a kind of question is thought about, and for how long.

A question that nobody waits for any more cannot be stopped once it is being thought about; it
keeps its thread. So each kind has threads of its own, a question that has not begun is dropped
with whoever asked it, and a late answer is kept for a while: whoever asks again has it at once.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as OutOfPatience
from threading import BoundedSemaphore, Lock
from typing import Any

from shared.sidecar import PATIENCE, digest

#: A little less than the API's own patience, so that it hears the answer.
ANSWER_SECONDS = PATIENCE - 1
#: What a question may take of a processor. Threads share one interpreter and trainings may have
#: the cores: time on the clock says nothing of the question.
MOST_CPU_SECONDS = 10.0
#: Late answers that are kept, and for how long after somebody last asked.
MOST_KEPT = 16
KEPT_SECONDS = 30.0
Answer = dict[str, Any]
BUSY = {"ok": False, "busy": "The sidecar has more to think about than it can now; try again."}


class PendingRequest:
    """One question on its way to an answer."""

    def __init__(self) -> None:
        self.future: Future[Answer]
        self.asked_at = time.monotonic()
        self._clock: int | None = None
        self._clock_began = 0.0

    def begin(self) -> None:
        """Called by the thread that thinks about it."""
        self._clock_began = time.thread_time()
        self._clock = time.pthread_getcpuclockid(threading.get_ident())

    def cpu_seconds(self) -> float:
        """What it has taken of a processor; also other threads may ask until it is answered."""
        if self._clock is None:
            return 0.0
        return time.clock_gettime(self._clock) - self._clock_began


class RequestPool:
    """Answers one kind of question, some at once."""

    def __init__(
        self,
        answer: Callable[[dict[str, Any]], Answer],
        *,
        threads: int,
        waiting: int,
        too_long: dict[str, str] | None,
        seconds: float = ANSWER_SECONDS,
        cpu_seconds: float = MOST_CPU_SECONDS,
    ) -> None:
        """Open the threads.

        Args:
            answer: what is done with a question.
            threads: how many are thought about at once.
            waiting: how many may wait for a thread; more would not be answered in time.
            too_long: the fault of a question that takes too long; None where it has none, and
                is only to be asked again.
            seconds: how long is waited for an answer.
            cpu_seconds: what a question may take of a processor.
        """
        self._answer = answer
        self._pool = ThreadPoolExecutor(threads)
        self._room = BoundedSemaphore(threads + waiting)
        self._too_long = too_long
        self._seconds = seconds
        self._cpu_seconds = cpu_seconds
        self._lock = Lock()
        #: What is being thought about, and late answers, by question.
        self._thoughts: dict[str, PendingRequest] = {}

    def about(self, question: dict[str, Any]) -> Answer:
        """The answer; "busy" where there is none in time and the question is not to blame."""
        key = digest(question)
        thought = self._thought(key, question)
        if thought is None:
            return BUSY
        try:
            return thought.future.result(self._seconds)
        except CancelledError:  # whoever asked it first did not wait for it to begin
            return BUSY
        except OutOfPatience:
            is_dropped = thought.future.cancel()
            return BUSY if is_dropped or not self._is_too_long(thought) else self._refusal()
        finally:
            with self._lock:
                if thought.future.done() and self._thoughts.get(key) is thought:
                    del self._thoughts[key]

    def _thought(self, key: str, question: dict[str, Any]) -> PendingRequest | None:
        """The question as it is thought about already, or begun; None where there is no room."""
        with self._lock:
            self._forget()
            thought = self._thoughts.get(key)
            if thought is None:
                if not self._room.acquire(blocking=False):
                    return None
                thought = self._thoughts[key] = PendingRequest()
                thought.future = self._pool.submit(self._think, thought, question)
                thought.future.add_done_callback(lambda _: self._room.release())
            thought.asked_at = time.monotonic()
            return thought

    def _think(self, thought: PendingRequest, question: dict[str, Any]) -> Answer:
        thought.begin()
        answer = self._answer(question)
        # Answers too: whether a question is refused must not depend on the load.
        return self._refusal() if self._is_too_long(thought) else answer

    def _is_too_long(self, thought: PendingRequest) -> bool:
        return self._too_long is not None and thought.cpu_seconds() > self._cpu_seconds

    def _refusal(self) -> Answer:
        return {"ok": False, "faults": [self._too_long]}

    def _forget(self) -> None:
        """Drop late answers that nobody asked for again."""
        oldest = time.monotonic() - KEPT_SECONDS
        late = [key for key, thought in self._thoughts.items() if thought.future.done()]
        for place, key in enumerate(reversed(late)):
            if place >= MOST_KEPT or self._thoughts[key].asked_at < oldest:
                del self._thoughts[key]
