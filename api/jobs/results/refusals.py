"""What the sidecar finds in a job's own data, as an error that is not the request's fault."""

from shared.errors import Conflict, DatasetMissing, InvalidSpec, ServiceError


def as_conflict(refused: InvalidSpec) -> ServiceError:
    """Return the error for a refusal: `DatasetMissing` where it is about the data set."""
    detail = " ".join(fault.detail for fault in refused.faults)
    is_missing = any(fault.pointer.startswith("/dataset") for fault in refused.faults)
    return DatasetMissing(detail) if is_missing else Conflict(detail)
