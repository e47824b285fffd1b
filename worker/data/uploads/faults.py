"""Why an upload is rejected: files, each with what is wrong with it."""

from collections.abc import Sequence
from typing import TypedDict

MAX_NAME_LENGTH = 300


class Fault(TypedDict):
    """A file of an upload and what is wrong with it; the file is empty for the upload itself."""

    file: str
    detail: str


class UploadRejected(Exception):
    """The upload cannot become a data set.

    Args:
        faults: every fault that was found.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = list(faults)
        super().__init__("; ".join(f"{fault['file']}: {fault['detail']}" for fault in self.faults))


class BadFile(Exception):
    """A single file cannot be read; the message states why, without its name."""


def fault(file: str, detail: str) -> Fault:
    """Return a fault with a name that can be shown: invisible characters are escaped."""
    return Fault(file=shown(file), detail=detail)


def shown(name: str) -> str:
    """Return a file name with its invisible characters escaped, cut to a length for messages."""
    cut = name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH - 1]}…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)
