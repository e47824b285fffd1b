"""A row that cannot be read is an internal error, which reveals nothing of the row."""

import pytest
import sqlalchemy as sa

from shared import tables
from tests.api.service import Service


@pytest.mark.parametrize("path", ["/v1/jobs/{}", "/v1/jobs", "/v1/jobs/{}/events"])
def test_unreadable_job_is_a_500_without_its_id_column_or_value(
    service: Service, path: str
) -> None:
    job_id = service.submit()
    with service.database.write() as connection:
        change = sa.update(tables.jobs).where(tables.jobs.c.id == job_id)
        connection.execute(change.values(tags=["a secret of the owner"]))

    response = service.client.get(path.format(job_id))

    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == "urn:trainshed:problem:row-unreadable"
    assert set(problem) == {"type", "title", "status", "detail", "instance"}
    for leak in (job_id, "tags", "list", "secret"):
        assert leak not in problem["detail"]
