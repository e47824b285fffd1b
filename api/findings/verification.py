"""The check of a patch: what trains, for how long, and with which specification."""

from typing import Any

import sqlalchemy as sa
import structlog

from api.http.faults import abbreviated
from api.http.json_patch import apply_patch
from api.http.strict_json import parse
from api.jobs import service
from api.jobs.admission.stages import stages_of
from api.jobs.forks import find_finding, find_patch
from api.jobs.lookup import find_job
from api.services.container import Services
from api.services.principal import Principal, acting_for
from shared.errors import Conflict, Fault, InvalidSpec, ServiceError, Unavailable
from shared.jobs import verifications
from shared.jobs.findings import FindingRow, list_findings
from shared.jobs.partial_rows import require
from shared.jobs.rows import JobRow
from shared.spec.fields import MAX_SEED

log = structlog.get_logger()

#: Each of the two jobs trains at most this share of the job's epochs, if that is enough to see
#: whether the finding is gone, and from eight epochs on both together.
SHARE = 4


def verify(services: Services, principal: Principal, finding_id: str, body: bytes) -> None:
    """Start the check of a patch of a finding, by default the first; an existing check is kept.

    Raises:
        NotFound: there is no such finding or patch.
        InvalidSpec: the request or the specification with the patch has faults.
        Conflict: the patch does not fit, or the job checks a patch itself.
    """
    patch_id = _patch_id(body)
    with services.database.read() as connection:
        finding = find_finding(connection, finding_id)
        patch = find_patch(finding, patch_id)
        row = find_job(connection, finding.job_id)
        is_known = verifications.is_known(connection, patch["id"])
    require(row, "spec")
    if row.kind != "training":
        raise Conflict(
            f"The job {row.id} checks a patch itself; fork it, and verify a finding of the fork."
        )
    if is_known:
        return
    epochs = epochs_to_train(row.spec, finding)
    new = _prepared(services, row, finding, patch, epochs=epochs, priority="normal")
    with services.database.write() as connection:
        is_new = verifications.start(connection, new)
        if is_new:
            services.record(connection, principal, "finding.verify", finding_id)
    if is_new:
        services.doorbell.notify()


def start_automatically(services: Services, job_id: str) -> None:
    """Start the check of the first patch of a job's most important finding, where there is any.

    The check is left out where the jobs would train more than a quarter of the job's epochs, or
    where the specification with the patch is refused.
    """
    new = None
    try:
        with services.database.read() as connection:
            row = find_job(connection, job_id)
            finding = _most_important(connection, row)
        epochs = 0 if finding is None else epochs_to_train(row.spec, finding)
        if finding is not None and epochs <= _epochs(row.spec) // SHARE:
            patch = find_patch(finding, None)
            new = _prepared(services, row, finding, patch, epochs=epochs, priority="low")
    except Unavailable:
        raise  # tried again in the next round
    except ServiceError as error:
        log.warning("no patch is checked", job=job_id, error=str(error))
        new = None
    with services.database.write() as connection:
        is_due = verifications.stop_awaiting(connection, job_id)
        is_new = is_due and new is not None and verifications.start(connection, new)
    if is_new:
        services.doorbell.notify()


def epochs_to_train(spec: dict[str, Any], finding: FindingRow) -> int:
    """Return how many epochs the check of a finding takes.

    An eighth of the job's epochs, at least one, and until the epoch in which the rule was certain
    of the finding: before, a training without the finding would prove nothing.
    """
    opened = finding.data.get("opened_epoch")
    least = opened if isinstance(opened, int) else finding.epoch + 1
    return min(max(1, _epochs(spec) // (2 * SHARE), least), _epochs(spec))


def _epochs(spec: dict[str, Any]) -> int:
    return sum(stage["epochs"] for stage in stages_of(spec))


def _most_important(connection: sa.Connection, row: JobRow) -> FindingRow | None:
    """Return the first open finding of a job that a patch can cure; None for a cancelled job."""
    require(row, "spec")
    if row.state == "cancelled":
        return None
    for finding in list_findings(connection, row.id):
        is_root = finding.because_of is None and finding.severity != "info"
        if finding.state == "open" and is_root and finding.data["patches"]:
            return finding
    return None


def _prepared(
    services: Services,
    row: JobRow,
    finding: FindingRow,
    patch: dict[str, Any],
    *,
    epochs: int,
    priority: str,
) -> verifications.NewVerification:
    """Check the specifications of the two jobs.

    Raises:
        InvalidSpec: with every fault.
        Conflict: a `test` of the patch fails.
        DiskFull: their checkpoints do not fit on the disk.
    """
    diagnostics = {**row.spec["diagnostics"], "verify": False, "on_error": "note"}
    spec = {**row.spec, "diagnostics": diagnostics, "priority": priority}
    patched = apply_patch(spec, patch["operations"])
    null = {**spec, "seed": (row.spec["seed"] + 1) % (MAX_SEED + 1)}
    name = row.name and row.name[:180]
    if name:
        patched, null = {**patched, "name": f"{name}-check"}, {**null, "name": f"{name}-null"}
    owner = acting_for(row.owner, services.settings.visibility)
    draft = service.check(services, owner, patched)
    service.check_disk_space(services, owner, draft)
    return verifications.NewVerification(
        patch_id=patch["id"],
        job_id=row.id,
        finding_id=finding.id,
        owner=row.owner,
        fork_spec=draft.filled,
        null_spec=service.check(services, owner, null).filled,
        epochs=epochs,
    )


def _patch_id(body: bytes) -> str | None:
    """Return the patch that a request names, if it names one.

    Raises:
        InvalidSpec: with every fault.
    """
    request = parse(body) if body.strip() else {}
    if not isinstance(request, dict):
        raise _invalid(Fault("", f"is {abbreviated(request)}; it must be an object"))
    faults = [
        Fault(f"/{name}", "is not a field. Available: patch") for name in request if name != "patch"
    ]
    patch = request.get("patch")
    if patch is not None and not isinstance(patch, str):
        faults.append(Fault("/patch", f"is {abbreviated(patch)}; it must be the id of a patch"))
    if faults:
        raise _invalid(*faults)
    return patch


def _invalid(*faults: Fault) -> InvalidSpec:
    return InvalidSpec(list(faults), subject="request")
