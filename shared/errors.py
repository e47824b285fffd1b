"""The errors of the service and the failures of jobs. `api.errors` maps errors to HTTP statuses."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

FailureKind = Literal[
    "invalid_spec",
    "dataset_missing",
    "out_of_memory",
    "diverged",
    "diagnosed",
    "max_runtime",
    "stalled",
    "crashed",
    "worker_lost",
    "disk_full",
    "internal",
]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a job failed. It is data of the job, not an exception."""

    kind: FailureKind
    message: str
    hint: str

    def as_json(self) -> dict[str, str]:
        """Return the failure as it is stored with the job."""
        return asdict(self)


@dataclass(frozen=True)
class Fault:
    """One fault in a request: a JSON pointer (RFC 6901) and what is wrong there."""

    pointer: str
    detail: str
    #: The pointer into the specification, where the request is a patch of one.
    field: str | None = None

    def as_json(self) -> dict[str, str]:
        """Return the fault as a response has it."""
        found = {"pointer": self.pointer, "detail": self.detail}
        return found if self.field is None else {**found, "field": self.field}


class ServiceError(Exception):
    """The request could not be served."""

    #: The end of the `type` in a response; made from the name of the class unless given.
    code: ClassVar[str | None] = None

    def __init__(self, detail: str | None = None, **data: Any) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        self.data = data
        super().__init__(self.detail)


class BadRequest(ServiceError):
    """The request is malformed."""


class Unauthorized(ServiceError):
    """The request has no key; send `Authorization: Bearer KEY`."""


class Forbidden(ServiceError):
    """This person or this key may not do this."""


class NotFound(ServiceError):
    """Nothing with this name exists."""


class Conflict(ServiceError):
    """The state of the job does not allow this."""


class DatasetMissing(ServiceError):
    """The data set of the job is no longer on this box."""


class InUse(ServiceError):
    """Something else still needs it."""

    code = "in_use"


class LimitReached(ServiceError):
    """The person uses as much as is allowed."""

    code = "limit"

    def __init__(self, detail: str, *, retry_after_seconds: float, **data: Any) -> None:
        super().__init__(detail, **data)
        self.retry_after_seconds = retry_after_seconds


class StorageLimit(ServiceError):
    """The person stores as much as is allowed."""

    code = "storage_limit"


class PreconditionFailed(ServiceError):
    """The object has changed since the version that `If-Match` names."""


#: The maximum number of faults in one answer.
MAX_FAULTS = 100


class InvalidSpec(ServiceError):
    """The specification, or another body, has faults."""

    def __init__(self, faults: list[Fault], *, subject: str = "specification") -> None:
        count = f"{len(faults)} fault" + ("s" if len(faults) != 1 else "")
        named = "each"
        if len(faults) > MAX_FAULTS:
            count, named = f"more than {MAX_FAULTS} faults", f"the first {MAX_FAULTS}"
        super().__init__(f"The {subject} has {count}; `errors` names {named}.")
        self.faults = faults[:MAX_FAULTS]


class BadWeights(ServiceError):
    """The file does not contain readable weights."""


class IdempotencyMismatch(ServiceError):
    """This Idempotency-Key was used for another body; use a new key for a new request."""


class TooLarge(ServiceError):
    """The body exceeds the size limit."""


class UnsupportedMediaType(ServiceError):
    """The body must be application/json."""


class RangeNotSatisfiable(ServiceError):
    """The requested range is outside the file."""


class Unavailable(ServiceError):
    """A part of the service does not answer; try again."""


class DiskFull(ServiceError):
    """The disk has too little free space for this."""


class RowUnreadable(ServiceError):
    """The stored record cannot be read. Ask the administrator to repair it; the log names it."""

    def __init__(self, *, table: str, row_id: str, column: str, why: str) -> None:
        super().__init__()
        self.table = table
        self.row_id = row_id
        self.column = column
        self.why = why

    def __str__(self) -> str:
        """Return what an operator needs to find the row; `detail` is for the client."""
        return f"{self.table} {self.row_id}: column {self.column} {self.why}"


class DamagedFile(ServiceError):
    """A stored file no longer has the content that was written."""


class Fenced(ServiceError):
    """This attempt no longer holds its job: a later attempt does, or the job has ended."""
