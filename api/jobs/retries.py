"""Checks that the person who retries a job may still read what the job starts from.

The specification was checked when the job was submitted, perhaps for another person and under
another visibility.
"""

import sqlalchemy as sa

from api.http.faults import quoted
from api.services.principal import Principal
from api.weights.queries import owner_of
from shared import tables, uploaded_datasets
from shared.errors import Fault, InvalidSpec, NotFound
from shared.jobs.control import RetryOrigin
from shared.jobs.sources import source_of_weights


def check_readable(
    connection: sa.Connection, principal: Principal, job_id: str, origin: RetryOrigin
) -> None:
    """Check a retry; what may not be read is as if it did not exist.

    Raises:
        NotFound: the job may not be read.
        InvalidSpec: its data set or weights may not be read, or are deleted.
    """
    if not principal.may_read(origin.owner):
        raise NotFound(f"There is no job {job_id}.")
    faults: list[Fault] = []
    name = str((origin.spec.get("dataset") or {}).get("name"))
    owner = uploaded_datasets.owner_of(connection, name.partition("@")[0])
    if owner is not None and not principal.may_read(owner):
        faults.append(Fault("/dataset/name", f"{quoted(name)} is not a data set"))
    weights = (origin.spec.get("fine_tuning") or {}).get("weights") or {}
    source = source_of_weights(origin.spec)
    if source is not None and not _may_read_job(connection, principal, source):
        faults.append(Fault("/fine_tuning/weights/job", f"{quoted(source)} is not a job"))
    upload = weights.get("upload")
    if upload is not None:
        owner = owner_of(connection, upload)
        if owner is None or not principal.may_read(owner):
            text = f"{quoted(upload)} is not an upload; POST /v1/weights makes one"
            faults.append(Fault("/fine_tuning/weights/upload", text))
    if faults:
        raise InvalidSpec(faults)


def _may_read_job(connection: sa.Connection, principal: Principal, job_id: str) -> bool:
    jobs = tables.jobs.c
    owner = connection.execute(sa.select(jobs.owner).where(jobs.id == job_id)).scalar()
    return owner is not None and principal.may_read(owner)
