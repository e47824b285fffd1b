"""Marks what of a job cannot be read, so that a damaged record stops no answer."""

from typing import Any

from pydantic import BaseModel, ValidationError, create_model

from api.jobs.schemas import Job
from shared.jobs.partial_rows import UnreadableJobRow
from shared.jobs.rows import JobRow

#: The row's specification has been checked, and the attempts are rows of their own.
_CHECKED_ELSEWHERE = {"spec", "unreadable", "attempts"}
_fields: Any = {
    name: (field.annotation, field)
    for name, field in Job.model_fields.items()
    if name not in _CHECKED_ELSEWHERE
}
#: The fields of a job as the OpenAPI document declares them.
_Fields: type[BaseModel] = create_model("_Fields", **_fields)


def mark_unreadable(job: dict[str, Any], row: JobRow) -> None:
    """Set the fields of a job that cannot be read to null, and list them in `unreadable`.

    Args:
        job: the job as JSON, which is changed. Its `unreadable` is null where all can be read.
        row: from which it was made.
    """
    faults = dict(row.unreadable_columns) if isinstance(row, UnreadableJobRow) else {}
    for field in faults.keys() & job.keys() - {"id"}:
        if field != "spec" or not row.spec:  # a specification of a newer version is shown
            job[field] = None
    for fault in _faults(job):
        field = str(fault["loc"][0])
        job[field] = None
        faults.setdefault(field, fault["msg"])
    job["unreadable"] = None
    if faults:
        job["queue_position"] = None
        job["unreadable"] = [{"field": name, "detail": why} for name, why in faults.items()]


def _faults(job: dict[str, Any]) -> list[Any]:
    try:
        _Fields.__pydantic_validator__.validate_python(job)
    except ValidationError as error:
        return list(error.errors(include_url=False, include_input=False, include_context=False))
    return []
