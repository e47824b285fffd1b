"""Forks: new jobs from the specification of a job and a patch on it."""

import itertools
import re
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from api.http.faults import abbreviated
from api.http.json_patch import apply_patch
from api.jobs.lookup import find_job
from api.jobs.patch_faults import faults_in_patch
from api.services.container import Services
from shared.errors import Fault, InvalidSpec, NotFound
from shared.jobs import queries
from shared.jobs.checkpoint_names import find_checkpoint
from shared.jobs.findings import FindingRow, get_finding
from shared.jobs.partial_rows import require
from shared.jobs.rows import JobRow

#: What a name ends with after a fork.
FORK_SUFFIX = re.compile(r"-fork(-[0-9]+)?$")
MAX_STEM_LENGTH = 180
FIELDS = ("patch", "finding", "from_checkpoint")
#: What a state of the training depends on, besides the seed.
OF_STATE = ("dataset", "architecture", "seed", "loss", "fine_tuning", "regularizers")


@dataclass(frozen=True)
class Fork:
    """A specification to submit, and the checkpoint to continue from."""

    spec: Any
    resume_from: str | None
    operations: Any
    #: The pointer of the patch in the request; None for that of a finding.
    at: str | None


def prepare(services: Services, job_id: str, body: Any, *, owner: str, is_bare: bool) -> Fork:
    """Return the specification of a fork, which admission has still to check.

    Args:
        services: the parts of this service.
        job_id: the job whose specification is changed.
        body: the request.
        owner: of the fork, among whose jobs its name is new.
        is_bare: whether the body is the patch itself.

    Raises:
        NotFound: there is no such job, finding, patch or checkpoint.
        InvalidSpec: the request or the patch has faults.
        Conflict: a `test` of the patch fails.
        RowUnreadable: the job's specification cannot be read.
    """
    request = {"patch": body} if is_bare else _checked(body)
    with services.database.read() as connection:
        row = find_job(connection, job_id)
        require(row, "spec")
        operations, at = request.get("patch", []), "" if is_bare else "/patch"
        if "finding" in request:
            operations, at = _operations(connection, job_id, request), None
        spec = {**row.spec, "priority": "normal"}
        changed = apply_patch(spec, operations, at=at or "")
        if isinstance(changed, dict) and changed.get("name") == row.name:
            changed["name"] = name_of_fork(connection, row, owner)
        checkpoint = request.get("from_checkpoint")
        resume_from = None
        if checkpoint is not None:
            rows = queries.list_checkpoints(connection, job_id)
            resume_from = find_checkpoint(rows, checkpoint).id
            with faults_in_patch(operations, at):
                _check_state(row.spec, changed)
    return Fork(changed, resume_from, operations, at)


def propose_name(services: Services, job_id: str, *, owner: str) -> str:
    """Return the name of the next fork of a job that changes no name.

    Raises:
        NotFound: there is no such job.
        RowUnreadable: the job's specification cannot be read.
    """
    with services.database.read() as connection:
        row = find_job(connection, job_id)
        require(row, "spec")
        return name_of_fork(connection, row, owner)


def name_of_fork(connection: sa.Connection, row: JobRow, owner: str) -> str:
    """Return a name that none of an owner's jobs has: that of the job with `-fork` and a number.

    A job without a name has forks without a name.
    """
    if not row.name:
        return ""
    stem = f"{FORK_SUFFIX.sub('', row.name)[:MAX_STEM_LENGTH]}-fork"
    taken = queries.list_names(connection, owner, stem)
    numbered = (f"{stem}-{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([stem], numbered) if name not in taken)


def _checked(body: Any) -> dict[str, Any]:
    """Check the form of a request.

    Raises:
        InvalidSpec: with every fault.
    """
    if not isinstance(body, dict):
        raise _invalid(Fault("", f"is {abbreviated(body)}; it must be an object or a patch"))
    faults = [
        Fault(f"/{name}", f"is not a field. Available: {', '.join(FIELDS)}")
        for name in body
        if name not in FIELDS
    ]
    has_finding = body.get("finding") is not None
    if not has_finding and body.get("patch") is None:
        faults.append(Fault("/patch", "is required: a list of operations, or name a finding"))
    for name in ("finding", "from_checkpoint", *(["patch"] if has_finding else [])):
        value = body.get(name)
        if value is not None and not isinstance(value, str):
            faults.append(Fault(f"/{name}", f"is {abbreviated(value)}; it must be an id"))
    if faults:
        raise _invalid(*faults)
    return {name: value for name, value in body.items() if value is not None}


def find_finding(connection: sa.Connection, finding_id: str) -> FindingRow:
    """Return a finding.

    Raises:
        NotFound: there is no such finding.
    """
    row = get_finding(connection, finding_id)
    if row is None:
        raise NotFound(
            f"There is no finding {finding_id[:40]}. `GET /v1/jobs/JOB/findings` lists the ids."
        )
    return row


def find_patch(finding: FindingRow, patch_id: str | None) -> dict[str, Any]:
    """Return a patch of a finding, by default the first.

    Raises:
        NotFound: the finding has no such patch.
    """
    patches = finding.data.get("patches") or []
    for patch in patches:
        if patch_id in (None, patch["id"]):
            return patch
    if not patches:
        raise NotFound(
            f"The finding {finding.id} has no patch: no change of the specification cures it."
        )
    ids = ", ".join(patch["id"] for patch in patches)
    raise NotFound(f"The finding {finding.id} has no such patch. Available: {ids}.")


def _operations(connection: sa.Connection, job_id: str, request: dict[str, Any]) -> Any:
    finding = find_finding(connection, request["finding"])
    if finding.job_id != job_id:
        raise NotFound(f"The job has no finding {finding.id}.")
    return find_patch(finding, request.get("patch"))["operations"]


def _check_state(old: dict[str, Any], new: Any) -> None:
    """Check that a training state of the old specification fits the new specification."""
    if not isinstance(new, dict):
        return
    faults = [
        Fault(f"/{name}", "differs from the job of the checkpoint; leave from_checkpoint out")
        for name in OF_STATE
        if old.get(name) != new.get(name)
    ]
    optimizer = new.get("optimizer")
    if isinstance(optimizer, dict) and optimizer.get("name") != old["optimizer"]["name"]:
        text = "differs from the job of the checkpoint, whose state another optimizer cannot use"
        faults.append(Fault("/optimizer/name", f"{text}; leave from_checkpoint out"))
    if faults:
        raise _invalid(*faults)


def _invalid(*faults: Fault) -> InvalidSpec:
    return InvalidSpec(list(faults), subject="request")
