"""What an operation is, and how it refuses a request."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: `{"pointer": …, "detail": …}`, as the protocol carries it.
Fault = dict[str, str]


class RequestRefused(Exception):
    """The request has faults."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault["detail"] for fault in faults))
        self.faults = list(faults)


@dataclass(frozen=True)
class Operation:
    """One operation and its limits."""

    #: Maps a request to the fields of its response; raises `RequestRefused`.
    run: Callable[[dict[str, Any]], dict[str, Any]]
    #: Requests that are processed at the same time.
    threads: int = 4
    #: Requests that may wait for a thread.
    max_waiting: int = 100
    #: The fault of a request that takes too long; without it the caller may only try again.
    too_slow: Fault | None = None


def fault(pointer: str, detail: Exception | str) -> Fault:
    """Return a fault as the protocol carries it."""
    return {"pointer": pointer, "detail": str(detail)}
