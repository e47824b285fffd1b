"""What can go wrong, as classes. Without HTTP: the one table of statuses is in `api.errors`."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

FailureKind = Literal[
    "invalid_spec",
    "dataset_missing",
    "out_of_memory",
    "diverged",
    "max_runtime",
    "stalled",
    "crashed",
    "worker_lost",
    "disk_full",
    "internal",
]
FAILURE_KINDS: tuple[str, ...] = get_args(FailureKind)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a training failed: data of a job, not an exception that crosses a boundary."""

    kind: FailureKind
    message: str
    hint: str

    def as_json(self) -> dict[str, str]:
        """The failure as a job carries it."""
        return asdict(self)


@dataclass(frozen=True)
class Fault:
    """One fault of a request: where (an RFC 6901 pointer) and what, with what is allowed."""

    pointer: str
    detail: str


class ServiceError(Exception):
    """The request could not be served."""

    def __init__(self, detail: str | None = None, **data: Any) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        self.data = data
        super().__init__(self.detail)


class BadRequest(ServiceError):
    """The request is malformed."""


class Unauthorized(ServiceError):
    """A key is needed: send `Authorization: Bearer KEY`."""


class NotFound(ServiceError):
    """There is nothing of this name here."""


class Conflict(ServiceError):
    """The state of the job does not admit this."""


#: Faults of one answer: whoever has more has not written a specification.
MAX_FAULTS = 100


class InvalidSpec(ServiceError):
    """The specification has faults."""

    def __init__(self, faults: list[Fault]) -> None:
        count = f"{len(faults)} fault" + ("s" if len(faults) != 1 else "")
        named = "each"
        if len(faults) > MAX_FAULTS:
            count, named = f"more than {MAX_FAULTS} faults", f"the first {MAX_FAULTS}"
        super().__init__(f"The specification has {count}; `errors` names {named}.")
        self.faults = faults[:MAX_FAULTS]


class BadWeights(ServiceError):
    """The file does not hold weights that can be read."""


class IdempotencyMismatch(ServiceError):
    """This Idempotency-Key was used for another body; take a new key for a new request."""


class TooLarge(ServiceError):
    """The body is larger than what is admitted."""


class UnsupportedMediaType(ServiceError):
    """The body has to be application/json."""


class RangeNotSatisfiable(ServiceError):
    """The range asked for lies outside the file."""


class Unavailable(ServiceError):
    """A part of the service does not answer at the moment; try again."""


class RowUnreadable(ServiceError):
    """A stored record cannot be read; the service's log names it."""

    def __init__(self, *, table: str, row_id: str, column: str, why: str) -> None:
        super().__init__()
        self.table = table
        self.row_id = row_id
        self.column = column
        self.why = why

    def __str__(self) -> str:
        """Return what an operator needs to find the row; `detail` is for the client."""
        return f"{self.table} {self.row_id}: column {self.column} {self.why}"


class Fenced(ServiceError):
    """This attempt no longer holds its job: another one does, or the job has ended."""
