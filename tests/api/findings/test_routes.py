"""`GET /v1/jobs/{id}/findings`, and what a job shows of them."""

from dataclasses import replace

from shared.jobs.findings import NewDiagnosis
from tests.api.jobs.test_forks import FINDING, FINDING_ID
from tests.api.service import Service


def _diagnosed(service: Service) -> str:
    lease = service.start_job()
    consequence = replace(
        FINDING, id="fnd_" + "1" * 26, rule="a", severity="info", because_of=FINDING_ID
    )
    diagnosis = NewDiagnosis(
        findings=[consequence, FINDING],
        counts={"error": 1, "warning": 0, "info": 1},
        headline="Too low.",
    )
    service.record(lease, diagnosis=diagnosis)
    return lease.job_id


def test_findings_are_listed_roots_first_in_pages(service: Service) -> None:
    address = f"/v1/jobs/{_diagnosed(service)}/findings"
    page = service.client.get(address).json()
    assert [row["rule"] for row in page["data"]] == ["learning_rate_too_low", "a"]
    assert page["data"][1]["because_of"] == FINDING_ID
    assert page["data"][0]["patches"][0]["check"] == {"state": "none", "job": None, "gain": None}
    first = service.client.get(address, params={"limit": 1}).json()
    assert first["has_more"]
    rest = service.client.get(address, params={"after": first["data"][0]["id"]}).json()
    assert [row["rule"] for row in rest["data"]] == ["a"]
    assert not rest["has_more"]


def test_a_job_counts_its_findings_and_has_a_headline(service: Service) -> None:
    job_id = service.submit()
    assert service.job(job_id)["findings"] == {"error": 0, "warning": 0, "info": 0}
    assert service.job(job_id)["headline"] is None
    diagnosed = service.job(_diagnosed(service))
    assert diagnosed["findings"] == {"error": 1, "warning": 0, "info": 1}
    assert diagnosed["headline"] == "Too low."


def test_unknown_job_has_no_findings(service: Service) -> None:
    assert service.client.get(f"/v1/jobs/job_{'9' * 26}/findings").status_code == 404
    address = f"/v1/jobs/{service.submit()}/findings"
    assert service.client.get(address).json()["data"] == []
    assert service.client.get(address, params={"after": "x"}).status_code == 400
