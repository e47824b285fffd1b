"""`POST /v1/jobs/{id}/fork` in its three forms."""

import json
from typing import Any

import httpx
import pytest

from shared.jobs.findings import NewDiagnosis
from tests.api.service import Service, checkpoint_row
from tests.shared.rows import finding

RATE = "/optimizer/learning_rate"
SEED = [{"op": "replace", "path": "/seed", "value": 4}]
PATCH = [
    {"op": "test", "path": RATE, "value": 0.01},
    {"op": "add", "path": RATE, "value": 0.5},
]
FINDING_ID = "fnd_" + "0" * 26
FINDING = finding(
    id=FINDING_ID,
    rule="learning_rate_too_low",
    data={
        "patches": [
            {"id": "pat_" + "1" * 26, "operations": PATCH, "expects": "0.5"},
            {
                "id": "pat_" + "2" * 26,
                "operations": [{"op": "add", "path": RATE, "value": 0.7}],
                "expects": "0.7",
            },
        ],
    },
)


def _fork(service: Service, job_id: str, body: Any, **headers: str) -> httpx.Response:
    return service.post(f"/v1/jobs/{job_id}/fork", body, **headers)


def _rate(response: httpx.Response) -> float:
    assert response.status_code == 202, response.text
    return response.json()["spec"]["optimizer"]["learning_rate"]


@pytest.fixture
def diagnosed(service: Service) -> str:
    """Return the id of a job with a finding."""
    lease = service.start_job(priority="high", tags={"team": "a"})
    diagnosis = NewDiagnosis(
        findings=[FINDING], counts={"error": 1, "warning": 0, "info": 0}, headline="Too low."
    )
    service.record(lease, diagnosis=diagnosis, checkpoints=[checkpoint_row("last")])
    return lease.job_id


def test_fork_is_a_new_job_with_the_patched_specification(service: Service) -> None:
    job_id = service.submit(seed=5, priority="high", tags={"team": "a"})
    response = _fork(service, job_id, {"patch": PATCH})
    assert _rate(response) == 0.5
    job = response.json()
    assert response.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["forked_from"], job["retry_of"], job["state"]) == (job_id, None, "queued")
    assert job["links"]["forked_from"] == f"/v1/jobs/{job_id}"
    assert (job["spec"]["seed"], job["tags"]) == (5, {"team": "a"})
    assert job["priority"] == "normal", "a priority is not inherited"
    assert service.job(job_id)["spec"]["optimizer"]["learning_rate"] == 0.01


def test_bare_patch_has_a_media_type_of_its_own(service: Service) -> None:
    job_id = service.submit()
    headers = {"Content-Type": "application/json-patch+json"}
    assert _rate(_fork(service, job_id, PATCH, **headers)) == 0.5
    assert _fork(service, job_id, PATCH).status_code == 422
    assert _fork(service, job_id, PATCH, **{"Content-Type": "text/plain"}).status_code == 415


def test_finding_gives_its_first_patch_or_the_patch_that_is_named(
    service: Service, diagnosed: str
) -> None:
    assert _rate(_fork(service, diagnosed, {"finding": FINDING_ID})) == 0.5
    body = {"finding": FINDING_ID, "patch": "pat_" + "2" * 26}
    assert _rate(_fork(service, diagnosed, body)) == 0.7


def test_unknown_finding_patch_and_checkpoint_are_not_found(
    service: Service, diagnosed: str
) -> None:
    other = service.submit()
    for job_id, body, detail in (
        (diagnosed, {"finding": "fnd_" + "9" * 26}, "There is no finding"),
        (diagnosed, {"finding": FINDING_ID, "patch": "pat_" + "9" * 26}, "has no such patch"),
        (other, {"finding": FINDING_ID}, "The job has no finding"),
        (diagnosed, {"patch": [], "from_checkpoint": "best"}, "it has last"),
        ("job_" + "9" * 26, {"patch": []}, "There is no job"),
    ):
        response = _fork(service, job_id, body)
        assert response.status_code == 404, response.text
        assert detail in response.json()["detail"]


def test_a_failed_test_is_a_conflict(service: Service) -> None:
    job_id = service.submit(optimizer={"name": "sgd", "learning_rate": 0.02})
    rows = service.rows()
    response = _fork(service, job_id, {"patch": PATCH})
    assert response.status_code == 409
    assert f"{RATE} is 0.02, and the patch was made for 0.01" in response.json()["detail"]
    assert service.rows() == rows


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"patch": [{"op": "replace", "path": "/optimiser", "value": 1}]}, "/patch/0/path"),
        ({"patch": [{"op": "add", "path": RATE, "value": -1}]}, "/patch/0/value"),
        (
            {"patch": [*SEED, {"op": "add", "path": "/training", "value": {"epochs": 0}}]},
            "/patch/1/value/epochs",
        ),
        ({"patch": [{"op": "copy", "from": "/seed", "path": "/training/epochs"}]}, "/patch/0/path"),
        ({"patch": [{"op": "remove", "path": "/architecture"}]}, "/patch/0/path"),
        ({"patch": [{"op": "add", "path": "", "value": 3}]}, "/patch/0/value"),
        ({"patch": "pat_1"}, "/patch"),
        ({"finding": 3}, "/finding"),
        ({"finding": "fnd_1", "patch": []}, "/patch"),
        ({"changes": []}, "/changes"),
        ({}, "/patch"),
        ({"patch": None}, "/patch"),
        ("patch", ""),
    ],
)
def test_faults_have_pointers(service: Service, body: Any, pointer: str) -> None:
    response = _fork(service, service.submit(), body)
    assert response.status_code == 422, response.text
    assert pointer in {fault["pointer"] for fault in response.json()["errors"]}


def test_fork_continues_from_a_checkpoint_whose_state_fits(
    service: Service, diagnosed: str
) -> None:
    fits = {"patch": PATCH, "from_checkpoint": "last"}
    assert _rate(_fork(service, diagnosed, fits)) == 0.5
    changed = [{"op": "add", "path": "/architecture/hidden_units", "value": [8]}]
    response = _fork(service, diagnosed, {"patch": changed, "from_checkpoint": "last"})
    assert response.status_code == 422
    fault = response.json()["errors"][0]
    assert (fault["pointer"], fault["field"]) == ("/patch/0/path", "/architecture")


def test_faults_of_a_bare_patch_point_into_it_and_name_the_field(service: Service) -> None:
    patch = [{"op": "replace", "path": "/seed", "value": -1}]
    response = service.client.post(
        f"/v1/jobs/{service.submit()}/fork",
        content=json.dumps(patch),
        headers={"Content-Type": "application/json-patch+json"},
    )
    [fault] = response.json()["errors"]
    assert (fault["pointer"], fault["field"]) == ("/0/value", "/seed")
    assert fault["detail"] == "is -1; it must be at least 0"


def test_the_same_key_gives_the_same_fork(service: Service) -> None:
    job_id, headers = service.submit(), {"Idempotency-Key": "a"}
    first, again = (_fork(service, job_id, {"patch": PATCH}, **headers) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    assert _fork(service, job_id, {"patch": []}, **headers).status_code == 422
