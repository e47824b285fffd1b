"""Requesting, reading and cancelling analyses: the rules behind the routes."""

from typing import Any

import sqlalchemy as sa

from api.analyses.further_checkpoint import find_further
from api.analyses.memory import plan_memory
from api.analyses.rendering import analysis_json
from api.analyses.request import SLOT, SUBJECT, check_request
from api.http.faults import Faults
from api.http.strict_json import parse
from api.jobs.lookup import find_job
from api.services.container import Services
from api.services.principal import Principal
from shared.errors import Conflict, InvalidSpec, NotFound
from shared.jobs import analyses, control, queries
from shared.jobs.analyses import AnalysisRow, NewAnalysis
from shared.jobs.checkpoint_names import checkpoint_name
from shared.jobs.partial_rows import require
from shared.jobs.rows import ArtifactRow, JobRow

#: The states in which an analysis can be cancelled.
CANCELLABLE = ("queued", "running")


def create(services: Services, principal: Principal, job_id: str, body: bytes) -> tuple[str, bool]:
    """Check and record an analysis; return its id, and False for an earlier one of the same.

    Args:
        services: the parts of this service.
        principal: who requests it and becomes its owner.
        job_id: of the job to analyse.
        body: the request as JSON.

    Raises:
        NotFound: there is no such job.
        Conflict: the job has no checkpoint, or the file of the checkpoint no longer exists.
        InvalidSpec: with every fault of the request.
    """
    raw = parse(body)
    with services.database.read() as connection:
        job = find_job(connection, job_id)
        rows = queries.list_checkpoints(connection, job_id)
    require(job, "spec")
    if not rows:
        raise Conflict(
            f"The job has no checkpoint to analyse. It is {job.state}; the first epoch writes one.",
            state=job.state,
        )
    faults = Faults()
    request = check_request(services.methods, job, rows, raw, faults)
    if request is None:
        raise InvalidSpec(faults.in_order(), subject=SUBJECT)
    with services.database.read() as connection:
        entry = services.methods.catalog[SLOT][request.kind]
        further = find_further(connection, principal, entry, job, request.parameters, faults)
    if faults:
        raise InvalidSpec(faults.in_order(), subject=SUBJECT)
    memory = plan_memory(services, job, request)
    new = NewAnalysis(
        owner=principal.name,
        subject=job,
        kind=request.kind,
        checkpoint=request.checkpoint,
        checkpoint_name=checkpoint_name(request.checkpoint),
        parameters={**request.parameters, **further.parameters},
        further_weights=further.digests,
        memory_mib=memory.predicted_mib,
        planned_mib=memory.planned_mib,
        max_runtime_seconds=request.max_runtime_seconds,
    )
    with services.database.write() as connection:
        analysis_id, is_new = analyses.submit(
            connection, new, check=services.limits.for_job(principal)
        )
        if is_new:
            services.record(connection, principal, "analysis.submit", analysis_id)
    if is_new:
        services.doorbell.notify()
    return analysis_id, is_new


def cancel(services: Services, principal: Principal, analysis_id: str) -> None:
    """Request that an analysis ends.

    Raises:
        NotFound: there is no such analysis.
        Conflict: it has already succeeded or failed.
    """
    with services.change(principal, "analysis.cancel", analysis_id) as connection:
        find_analysis(connection, analysis_id)
        try:
            control.request_cancel(connection, analysis_id)
        except Conflict as error:
            state = error.data["state"]
            text = f"The analysis is {state}; only a queued or running analysis can be cancelled."
            raise Conflict(text, state=state, allowed=list(CANCELLABLE)) from error
    with services.database.read() as connection:
        _, job, _ = find_analysis(connection, analysis_id)
    if job.state == "cancelled":  # it waited for another attempt
        services.storage.delete_partial_results(analysis_id)


def find_analysis(
    connection: sa.Connection, analysis_id: str
) -> tuple[AnalysisRow, JobRow, list[ArtifactRow]]:
    """Return an analysis, its row among the jobs, and its files.

    Raises:
        NotFound: there is no such analysis.
        RowUnreadable: one of its rows cannot be read.
    """
    row = analyses.get_analysis(connection, analysis_id)
    job = queries.get_job(connection, analysis_id)
    if row is None or job is None:
        raise NotFound(f"There is no analysis {analysis_id}.")
    return row, job, queries.list_artifacts(connection, analysis_id)


def list_page(
    services: Services, connection: sa.Connection, *, limit: int, after: str | None, **filters: Any
) -> tuple[list[dict[str, Any]], bool]:
    """Return at most `limit` analyses as the API shows them, and whether there are more.

    What cannot be read is left out. A page is empty only at the end of the list.

    Args:
        services: the parts of this service.
        connection: for reading.
        limit: of the page.
        after: only older analyses than this.
        **filters: as `shared.jobs.analyses.list_ids` takes them.
    """
    while True:
        ids = analyses.list_ids(connection, limit=limit + 1, after=after, **filters)
        page, has_more = _read_all(services, connection, ids[:limit]), len(ids) > limit
        if page or not has_more:
            return page, has_more
        after = ids[limit - 1]


def _read_all(
    services: Services, connection: sa.Connection, ids: list[str]
) -> list[dict[str, Any]]:
    """Return the analyses that can be read, in the order of their ids."""
    rows, jobs = analyses.get_analyses(connection, ids), queries.get_jobs(connection, ids)
    artifacts = queries.list_artifacts_of(connection, ids)
    queued = [each for each, job in jobs.items() if job.state == "queued"]
    positions = services.queue_order.positions(queued, allow_extra_read=False) if queued else {}
    return [
        analysis_json(rows[each], jobs[each], artifacts[each], queue_position=positions.get(each))
        for each in ids
        if each in rows and each in jobs
    ]
