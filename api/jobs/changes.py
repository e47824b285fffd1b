"""`PATCH /v1/jobs/{id}`: a JSON merge patch (RFC 7396) of what can be changed about a job."""

import re
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from pydantic import AfterValidator, Field, StrictBool

from api.http.faults import abbreviated
from api.http.strict_json import parse
from api.jobs.admission.structure import read
from api.services.container import Services
from api.services.principal import Principal
from shared.errors import Fault, InvalidSpec, PreconditionFailed
from shared.jobs import changes
from shared.jobs.rows import JobRow
from shared.spec import SpecPart
from shared.spec.fields import check_text
from shared.spec.job import MAX_TAGS, MaxRuntimeSeconds, TagKey, TagValue
from shared.states import FINAL

MEDIA_TYPES = ("application/merge-patch+json", "application/json")
SUBJECT = "change"
MAX_NOTES_LENGTH = 10_000
#: What a field becomes that the patch sets to null.
DEFAULTS = {
    "priority": "normal",
    "tags": {},
    "notes": "",
    "max_runtime_seconds": None,
    "allow_inexact": False,
}


def _check_lines(value: str) -> str:
    check_text(value.replace("\n", "").replace("\t", ""))
    return value


class JobPatch(SpecPart):
    """Changes of a job. A field that is not given stays; null stands for its default.

    `tags` changes the given tags only; null removes a tag.
    """

    priority: Literal["low", "normal", "high"] | None = None
    tags: dict[TagKey, TagValue | None] | None = Field(default=None, max_length=2 * MAX_TAGS)
    notes: (
        Annotated[str, Field(max_length=MAX_NOTES_LENGTH), AfterValidator(_check_lines)] | None
    ) = None
    max_runtime_seconds: MaxRuntimeSeconds | None = None
    #: Whether it may continue on another model of GPU, with other last bits.
    allow_inexact: StrictBool | None = None


def change(
    services: Services, principal: Principal, job_id: str, body: bytes, if_match: str | None
) -> None:
    """Change a job.

    Args:
        services: the parts of this service.
        principal: who changes it.
        job_id: of the job.
        body: the patch as JSON.
        if_match: the request's If-Match.

    Raises:
        NotFound: there is no such job.
        PreconditionFailed: `If-Match` names another version.
        InvalidSpec: with every fault of the patch.
        Conflict: the job has ended, and a field can no longer be changed.
        LimitReached: high priority would exceed the owner's limit.
        RowUnreadable: the stored record of the job cannot be read.
    """
    patch = _read_patch(parse(body))
    with services.change(principal, "job.update", job_id, **patch) as connection:
        row = changes.lock_job(connection, job_id)
        _check_version(if_match, row)
        values = _merged(row, patch)
        _check_high(services, principal, connection, row, values)
        changes.change(connection, row, values)
    if row.state == "queued":
        services.doorbell.notify()  # with the change it may be the next to start


def _check_high(
    services: Services,
    principal: Principal,
    connection: sa.Connection,
    row: JobRow,
    values: dict[str, Any],
) -> None:
    """Check the limit of high priority if the job gets it, or more time with it."""
    before = changes.changeable_fields(row)
    after = before | values
    parts = ("priority", "max_runtime_seconds")
    is_changed = any(before[part] != after[part] for part in parts)
    if after["priority"] == "high" and is_changed and row.state not in FINAL:
        resources = {"gpus": row.gpus, "max_runtime_seconds": after["max_runtime_seconds"]}
        spec = {"resources": resources}
        services.limits.check_high(connection, principal, spec, job_id=row.id)


def _read_patch(raw: Any) -> dict[str, Any]:
    """Return the given fields of a patch."""
    if not isinstance(raw, dict):
        names = ", ".join(JobPatch.model_fields)
        fault = Fault("", f"is {abbreviated(raw)}; it must be an object with any of {names}")
        raise InvalidSpec([fault], subject=SUBJECT)
    patch, faults = read(raw, JobPatch, {(): JobPatch})
    if faults or patch is None:
        raise InvalidSpec(faults, subject=SUBJECT)
    return patch.model_dump(exclude_unset=True)


def _merged(row: JobRow, patch: dict[str, Any]) -> dict[str, Any]:
    """Return the new value of each field of a patch."""
    values = {name: DEFAULTS[name] if new is None else new for name, new in patch.items()}
    if patch.get("tags") is not None:
        merged = {**row.tags, **patch["tags"]}
        values["tags"] = {key: value for key, value in merged.items() if value is not None}
        if len(values["tags"]) > MAX_TAGS:
            text = f"the job would have {len(values['tags'])} tags; at most {MAX_TAGS} are allowed"
            raise InvalidSpec([Fault("/tags", text)], subject=SUBJECT)
    return values


def _check_version(if_match: str | None, row: JobRow) -> None:
    """Check the revision that an ETag begins with: heartbeats and queue positions do not count.

    Raises:
        PreconditionFailed: `If-Match` names another revision.
    """
    if if_match is None or if_match.strip() == "*":
        return
    revisions = {etag.partition("-")[0] for etag in re.findall(r'"([^"]*)"', if_match)}
    if str(row.revision) not in revisions:
        raise PreconditionFailed(
            "The job has changed since the version that `If-Match` names; get it again.",
            revision=row.revision,
        )
