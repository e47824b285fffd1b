"""What an operation is, its limits, and how it refuses a request."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.sidecar import TIMEOUT_SECONDS

Request = dict[str, Any]
Response = dict[str, Any]
#: `{"pointer": …, "detail": …}`, as the protocol carries it.
Fault = dict[str, str]

#: The response to a request that could not be processed for now, through no fault of its own.
BUSY: Response = {"ok": False, "busy": "The sidecar is busy with other requests. Try again."}


MAX_SECONDS = 60.0


class RequestRefused(Exception):
    """The request has faults."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault["detail"] for fault in faults))
        self.faults = list(faults)


@dataclass(frozen=True)
class Subject:
    """What a request is about, for the fault of a request that exceeds a limit."""

    #: The field whose value is too large.
    pointer: str
    #: What the sidecar does with the value, such as "read the table".
    work: str
    #: What the caller can do, as a sentence.
    advice: str


@dataclass(frozen=True)
class Operation:
    """One operation and the limits of the processes that run it."""

    #: Maps a request to the fields of its response; raises `RequestRefused`.
    run: Callable[[Request], Response]
    #: Requests that are processed at the same time, each in a process of its own.
    processes: int = 2
    #: Requests that may wait for a process.
    max_waiting: int = 100
    #: CPU time of a request. Other processes may use the cores, so elapsed time does not show
    #: whether the request itself is too expensive.
    cpu_seconds: int = 10
    #: Memory that a process may allocate in addition to what it starts with.
    memory_mib: int = 1024
    #: Whether a process serves further requests; otherwise it ends and its memory is free.
    is_kept: bool = False
    #: Whether other processes come first when cores are scarce.
    is_background: bool = False
    #: How long a client waits for the response; a little less than the API does.
    response_seconds: float = TIMEOUT_SECONDS - 1
    #: Elapsed time after which a request is given up, however little CPU time it got. It may exceed
    #: the time that a client waits: a client that repeats the request then waits for the rest.
    elapsed_seconds: float = MAX_SECONDS
    #: The reason for a client that has waited too long.
    late: str = BUSY["busy"]
    #: None where a request that exceeds a limit may only be repeated.
    subject: Subject | None = None

    def respond(self, request: Request) -> Response:
        """Return the response to a request.

        Raises:
            MemoryError: the request takes more memory than this process may allocate.
        """
        try:
            return {"ok": True, **self.run(request)}
        except RequestRefused as refused:
            return {"ok": False, "faults": refused.faults}
        except (KeyError, TypeError) as error:
            return malformed(error)

    def refuse(self, reason: str) -> Response:
        """Return the response to a request that exceeds a limit."""
        if self.subject is None:
            return BUSY
        detail = f"{reason} {self.subject.advice}"
        return {"ok": False, "faults": [fault(self.subject.pointer, detail)]}

    def too_slow(self) -> Response:
        """Return the response to a request that used up its CPU time."""
        work = self.subject.work if self.subject else ""
        return self.refuse(f"It takes more than {self.cpu_seconds} s of CPU time to {work}.")

    def too_large(self) -> Response:
        """Return the response to a request that used up its memory."""
        work = self.subject.work if self.subject else ""
        return self.refuse(f"It takes more than {self.memory_mib:,} MiB of memory to {work}.")

    def crashed(self) -> Response:
        """Return the response to a request whose process crashed."""
        work = self.subject.work if self.subject else ""
        return self.refuse(f"The process that was to {work} crashed.")


def malformed(error: Exception) -> Response:
    """Return the response to a request that is not as the protocol says."""
    return {"ok": False, "faults": [fault("", f"The request is malformed: {error}.")]}


def fault(pointer: str, detail: Exception | str) -> Fault:
    """Return a fault as the protocol carries it."""
    return {"pointer": pointer, "detail": str(detail)}
