"""The threads of one operation, and how long its requests may take.

A request in progress cannot be stopped, even if its client has left; it keeps its thread. So each
operation has threads of its own, a request that has not started is dropped when its client leaves,
and a late response is kept for a while: a client that repeats the request gets it at once.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

from shared.sidecar import TIMEOUT_SECONDS, digest
from worker.sidecar.request import Fault

#: A little less than the API's timeout, so that the API receives the response.
RESPONSE_SECONDS = TIMEOUT_SECONDS - 1
#: The CPU time of a request. Threads share one interpreter, and training jobs may use the cores:
#: elapsed time does not show whether the request itself is too expensive.
MAX_CPU_SECONDS = 10.0
#: Late responses that are kept, and for how long after the last request for them.
MAX_LATE = 16
LATE_SECONDS = 30.0

Request = dict[str, Any]
Response = dict[str, Any]
BUSY: Response = {"ok": False, "busy": "The sidecar is busy with other requests. Try again."}


class PendingRequest:
    """A request on its way to a response."""

    def __init__(self) -> None:
        self.future: Future[Response]
        self.requested_at = time.monotonic()
        self._clock: int | None = None
        self._cpu_seconds_at_start = 0.0

    def start(self) -> None:
        """Measure the CPU time of the calling thread from now on."""
        self._cpu_seconds_at_start = time.thread_time()
        self._clock = time.pthread_getcpuclockid(threading.get_ident())

    def cpu_seconds(self) -> float:
        """Return the CPU time so far; any thread may call this until the response is there."""
        if self._clock is None:
            return 0.0
        return time.clock_gettime(self._clock) - self._cpu_seconds_at_start


class RequestPool:
    """Processes the requests of one operation.

    Args:
        respond: returns the response to a request.
        threads: requests that are processed at the same time.
        max_waiting: requests that may wait for a thread.
        too_slow: the fault of a request that takes too long; None if it may only be repeated.
        timeout_seconds: how long a caller waits for the response.
        max_cpu_seconds: the CPU time after which a request is too slow.
    """

    def __init__(
        self,
        respond: Callable[[Request], Response],
        *,
        threads: int,
        max_waiting: int,
        too_slow: Fault | None,
        timeout_seconds: float = RESPONSE_SECONDS,
        max_cpu_seconds: float = MAX_CPU_SECONDS,
    ) -> None:
        self._respond = respond
        self._executor = ThreadPoolExecutor(threads)
        self._capacity = threading.BoundedSemaphore(threads + max_waiting)
        self._too_slow = too_slow
        self._timeout_seconds = timeout_seconds
        self._max_cpu_seconds = max_cpu_seconds
        self._lock = threading.Lock()
        #: Requests in progress and late responses, by the digest of the request.
        self._pending: dict[str, PendingRequest] = {}

    def respond(self, request: Request) -> Response:
        """Return the response; `BUSY` where it is late and the request is not too slow."""
        key = digest(request)
        pending = self._submit(key, request)
        if pending is None:
            return BUSY
        try:
            return pending.future.result(self._timeout_seconds)
        except CancelledError:  # the first caller left before the request started
            return BUSY
        except TimeoutError:
            is_dropped = pending.future.cancel()
            return BUSY if is_dropped or not self._is_too_slow(pending) else self._refusal()
        finally:
            with self._lock:
                if pending.future.done() and self._pending.get(key) is pending:
                    del self._pending[key]

    def _submit(self, key: str, request: Request) -> PendingRequest | None:
        """Return the pending request, new or in progress; None where the queue is full."""
        with self._lock:
            self._drop_late_responses()
            pending = self._pending.get(key)
            if pending is None:
                if not self._capacity.acquire(blocking=False):
                    return None
                pending = self._pending[key] = PendingRequest()
                pending.future = self._executor.submit(self._process, pending, request)
                pending.future.add_done_callback(lambda _: self._capacity.release())
            pending.requested_at = time.monotonic()
            return pending

    def _process(self, pending: PendingRequest, request: Request) -> Response:
        pending.start()
        response = self._respond(request)
        # Also when there is a response: whether a request is refused must not depend on the load.
        return self._refusal() if self._is_too_slow(pending) else response

    def _is_too_slow(self, pending: PendingRequest) -> bool:
        return self._too_slow is not None and pending.cpu_seconds() > self._max_cpu_seconds

    def _refusal(self) -> Response:
        return {"ok": False, "faults": [self._too_slow]}

    def _drop_late_responses(self) -> None:
        """Drop the responses that no client has requested again."""
        oldest = time.monotonic() - LATE_SECONDS
        late = [key for key, pending in self._pending.items() if pending.future.done()]
        for position, key in enumerate(reversed(late)):
            if position >= MAX_LATE or self._pending[key].requested_at < oldest:
                del self._pending[key]
