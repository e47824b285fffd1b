"""The row of a job that a path names: whole, or what of it can be read."""

import sqlalchemy as sa

from api.services.container import Services
from api.services.principal import Principal
from shared.errors import NotFound
from shared.jobs import queries
from shared.jobs.rows import JobRow


def find_job(connection: sa.Connection, job_id: str) -> JobRow:
    """Return the row of a job whose id has been checked, as `JobId` does.

    Raises:
        NotFound: There is no such job.
    """
    row = queries.get_job_in_part(connection, job_id)
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    return row


def find_visible_job(connection: sa.Connection, principal: Principal, job_id: str) -> JobRow:
    """Return the row of a job that no dependency has checked, such as an id in a query.

    Raises:
        NotFound: There is no such job that the caller may read.
    """
    row = find_job(connection, job_id)
    if not principal.may_read(row.owner):
        raise NotFound(f"There is no job {job_id}.")
    return row


def read_job(services: Services, job_id: str) -> JobRow:
    """Return the row of a job, in a separate transaction.

    Raises:
        NotFound: There is no such job.
    """
    with services.database.read() as connection:
        return find_job(connection, job_id)
