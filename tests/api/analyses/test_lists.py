"""The list of analyses across jobs: order, pages, filters, and what a person may read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from shared.errors import Failure
from shared.jobs import analyses, attempts, queries
from shared.jobs.analyses import NewAnalysis
from shared.jobs.attempts import Lease
from shared.jobs.rows import CheckpointRow
from tests.api.accounts_box import AccountsBox, accounts_box
from tests.api.analyses.requests import request
from tests.api.jobs.results.files import with_file
from tests.api.service import Service, checkpoint_row


def _list(service: Service, **query: Any) -> list[str]:
    response = service.client.get("/v1/analyses", params=query).raise_for_status().json()
    return [row["id"] for row in response["data"]]


def _second_job(service: Service) -> Lease:
    lease = service.start_job(name="second")
    service.record(lease, checkpoints=[with_file(service, lease, checkpoint_row("last", 20))])
    return lease


def test_analyses_of_all_jobs_are_listed_newest_first_in_pages(
    service: Service, lease: Lease
) -> None:
    other = _second_job(service)
    ids = [request(service, each, seed=seed)["id"] for seed in (0, 1) for each in (lease, other)]
    assert _list(service) == ids[::-1]
    page = service.client.get("/v1/analyses", params={"limit": 3}).json()
    assert ([row["id"] for row in page["data"]], page["has_more"]) == (ids[:0:-1], True)
    assert _list(service, after=ids[1]) == ids[:1]
    whole = service.client.get(f"/v1/analyses/{ids[0]}").json()
    (listed,) = service.client.get("/v1/analyses", params={"after": ids[1]}).json()["data"]
    assert {**listed, "queue_position": 0} == {**whole, "queue_position": 0}


def test_filters_are_combined(service: Service, lease: Lease) -> None:
    other = _second_job(service)
    failed = request(service, lease)["id"]
    own = service.claim()
    with service.database.write() as connection:
        attempts.fail(connection, own, Failure(kind="crashed", message="m", hint="h"))
    path = request(service, lease, kind="loss_path")["id"]
    of_other = request(service, other)["id"]
    assert _list(service, kind="curvature") == [of_other, failed]
    assert _list(service, job=lease.job_id) == [path, failed]
    assert _list(service, state="failed") == [failed]
    assert _list(service, kind="curvature", state="queued", owner="admin") == [of_other]
    assert _list(service, owner="nobody") == []


def test_wrong_filters_say_what_is_allowed(service: Service, lease: Lease) -> None:
    def refused(**query: Any) -> tuple[int, str]:
        response = service.client.get("/v1/analyses", params=query)
        problem = response.json()
        return response.status_code, str(problem.get("errors") or problem["detail"])

    status, text = refused(kind="curvatur")
    assert status == 422
    assert "Did you mean `curvature`?" in text
    assert refused(job="job_" + "0" * 26)[0] == 404
    assert refused(job=request(service, lease)["id"])[0] == 404
    assert refused(state="done")[0] == 422
    assert refused(after=lease.job_id)[0] == 400
    status, text = refused(jobs=lease.job_id)
    assert status == 422
    assert "Did you mean `job`?" in text


def test_damaged_rows_hide_no_older_analysis(service: Service, lease: Lease) -> None:
    ids = [request(service, lease, seed=seed)["id"] for seed in range(4)]
    columns = tables.analyses.c
    with service.database.write() as connection:
        damage = sa.update(tables.analyses).where(columns.id.in_(ids[2:]))
        connection.execute(damage.values(parameters=[]))
    for path in ("/v1/analyses", f"/v1/jobs/{lease.job_id}/analyses"):
        page = service.client.get(path, params={"limit": 1}).json()
        assert ([row["id"] for row in page["data"]], page["has_more"]) == ([ids[1]], True)


class TestRights:
    @pytest.fixture
    def accounts(self, tmp_path: Path) -> Iterator[AccountsBox]:
        with accounts_box(f"sqlite:///{tmp_path / 'test.db'}", tmp_path) as box:
            yield box

    def _analyse(self, box: AccountsBox, job_id: str, owner: str) -> str:
        """Record an analysis by a person."""
        row = {**vars(checkpoint_row("last", 20)), "job_id": job_id, "attempt": 1, "value": 0.5}
        with box.database.write() as connection:
            subject = queries.get_job(connection, job_id)
            assert subject is not None
            new = NewAnalysis(
                owner=owner,
                subject=subject,
                kind="curvature",
                checkpoint=CheckpointRow.read(row),
                checkpoint_name="last",
                parameters={"owner": owner},
                memory_mib=1.0,
            )
            return analyses.submit(connection, new)[0]

    def test_people_see_their_own_and_those_of_their_jobs(self, accounts: AccountsBox) -> None:
        of_mia, of_otto = accounts.add_job("mia"), accounts.add_job("otto")
        ids = {
            (job, owner): self._analyse(accounts, job, owner)
            for job in (of_mia, of_otto)
            for owner in ("mia", "otto")
        }
        visible = {(of_mia, "mia"), (of_mia, "otto"), (of_otto, "mia")}

        def listed(person: str, query: str = "") -> set[str]:
            response = accounts.request(person, "read", "GET", f"/v1/analyses{query}")
            return {row["id"] for row in response.raise_for_status().json()["data"]}

        for visibility in ("queue", "private"):
            accounts.set_visibility(visibility)
            assert listed("mia") == {ids[each] for each in visible}
            assert listed("vera") == set()
            hidden = accounts.request("mia", "read", "GET", f"/v1/analyses?job={of_otto}")
            assert hidden.status_code == 404
        accounts.set_visibility("team")
        assert listed("vera") == set(ids.values())
        assert listed("vera", f"?job={of_otto}&owner=mia") == {ids[of_otto, "mia"]}
