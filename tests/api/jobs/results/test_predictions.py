"""`POST …/predictions`: what is sent to the sidecar, and what is refused before."""

import base64
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from shared import tables
from shared.jobs import queries
from shared.jobs.attempts import Lease
from shared.storage import WEIGHTS
from tests.api.jobs.results.files import SHA256
from tests.api.service import Service
from tests.fakes.sidecar import accept_everything

Files = Sequence[tuple[str, tuple[str, bytes]]]
MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}
PICTURE = ("files", ("cat.png", b"\x89PNG"))
PREDICTED = [{"name": "cat.png", "top_k": [{"class": "cat", "probability": 0.75}]}]


def post(
    service: Service, lease: Lease, files: Files | None = None, **options: Any
) -> httpx.Response:
    return service.client.post(f"/v1/jobs/{lease.job_id}/predictions", files=files, **options)


@pytest.fixture(autouse=True)
def _predicting(service: Service) -> None:
    def respond(request: dict[str, Any]) -> dict[str, Any]:
        if request["operation"] == "predict":
            return {"ok": True, "predictions": PREDICTED}
        return accept_everything(request)

    service.sidecar.respond = respond


def test_pictures_are_sent_with_the_file_of_the_best_checkpoint(
    service: Service, lease: Lease
) -> None:
    response = post(service, lease, [PICTURE])
    assert response.status_code == 200, response.text
    expected = {"object": "list", "checkpoint": "best_val_loss", "data": PREDICTED}
    assert response.json() == expected
    [request] = [r for r in service.sidecar.requests if r["operation"] == "predict"]
    content = base64.b64encode(b"\x89PNG").decode()
    assert request["pictures"] == [{"name": "cat.png", "content": content}]
    assert request["weights"] == f"{lease.job_id}/1/step-10/{WEIGHTS}"
    assert request["sha256"] == SHA256
    assert request["top_k"] == 5


@pytest.mark.parametrize(("name", "step"), [("last", 30), ("initial", 0), ("best_val_loss", 10)])
def test_checkpoint_is_chosen_by_name(service: Service, lease: Lease, name: str, step: int) -> None:
    response = post(service, lease, [PICTURE], params={"checkpoint": name})
    assert response.json()["checkpoint"] == name
    assert f"/step-{step}/" in service.sidecar.requests[-1]["weights"]


def test_unknown_checkpoint_is_not_found(service: Service, lease: Lease) -> None:
    response = post(service, lease, [PICTURE], params={"checkpoint": "best_of_all"})
    assert response.status_code == 404
    assert "best_val_loss" in response.json()["detail"]


def test_job_without_checkpoints_has_no_predictions(service: Service) -> None:
    response = post(service, service.start_job(), [PICTURE])
    assert response.status_code == 404
    assert "none yet" in response.json()["detail"]


def test_at_most_64_pictures_are_accepted(service: Service, lease: Lease) -> None:
    assert post(service, lease, [PICTURE] * 64).status_code == 200
    for count in (65, 66, 200):
        response = post(service, lease, [PICTURE] * count)
        assert response.status_code in {400, 422}, response.text
        assert "64" in response.text or "65" in response.text


def test_body_is_limited_to_32_megabytes(service: Service, lease: Lease) -> None:
    large = ("files", ("large.png", bytes(16_000_000)))
    assert post(service, lease, [large]).status_code == 200
    response = post(service, lease, [large, large])
    assert response.status_code == 413
    assert "32,000,000" in response.json()["detail"]


@pytest.mark.parametrize(
    ("options", "status", "part"),
    [
        ({"json": {"rows": [{"a": 1}]}}, 415, "trained on images"),
        ({"content": b"x", "headers": {"Content-Type": "image/png"}}, 415, "trained on images"),
        ({"files": [("picture", ("a.png", b"x"))]}, 422, "name each file `files`"),
        ({"data": {"files": "text"}, "files": [PICTURE]}, 422, "name each file `files`"),
        (
            {
                "content": b"--x--\r\n",
                "headers": {"Content-Type": "multipart/form-data; boundary=x"},
            },
            422,
            "has 0 pictures",
        ),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, ""),
        (
            {"content": b"no", "headers": MULTIPART},
            400,
            "",
        ),
    ],
)
def test_other_bodies_are_refused(
    service: Service, lease: Lease, options: dict[str, Any], status: int, part: str
) -> None:
    response = post(service, lease, **{"files": None, **options})
    assert response.status_code == status, response.text
    assert part in response.text
    assert "specification" not in response.text
    assert response.headers["content-type"] == "application/problem+json"


def test_faults_of_the_sidecar_are_those_of_the_request(service: Service, lease: Lease) -> None:
    fault = {"pointer": "/files/0", "detail": "cat.png is truncated"}
    service.sidecar.respond = lambda _: {"ok": False, "faults": [fault]}
    response = post(service, lease, [PICTURE])
    assert response.status_code == 422
    assert response.json()["errors"] == [fault]
    assert response.json()["detail"].startswith("The request has 1 fault")


class TestRows:
    @pytest.fixture
    def table(self, service: Service, lease: Lease) -> Lease:
        """Make the job one of a table."""
        with service.database.write() as connection:
            job = queries.get_job(connection, lease.job_id)
            assert job is not None
            dataset = {"name": "table", "file": "a.csv", "target": "y", "features": ["length"]}
            columns = tables.jobs.c
            spec = {**job.spec, "dataset": {**job.spec["dataset"], **dataset}}
            update = sa.update(tables.jobs).where(columns.id == lease.job_id).values(spec=spec)
            connection.execute(update)
        return lease

    def test_rows_are_sent(self, service: Service, table: Lease) -> None:
        rows = [{"length": 1.5, "width": 2}]
        response = post(service, table, json={"rows": rows})
        assert response.status_code == 200, response.text
        assert service.sidecar.requests[-1]["rows"] == rows

    def test_pictures_are_refused(self, service: Service, table: Lease) -> None:
        response = post(service, table, [PICTURE])
        assert response.status_code == 415
        assert "trained on a table" in response.text

    @pytest.mark.parametrize(
        ("body", "pointers"),
        [
            ({}, ["/rows"]),
            ([], [""]),
            ({"row": [], "a/b": 1}, ["/row", "/a~1b", "/rows"]),
            ({"rows": [], "more": 1}, ["/more", "/rows"]),
            ({"rows": 5}, ["/rows"]),
            ({"rows": [5]}, ["/rows/0"]),
            ({"rows": [{"a": 1}, {"a": "1", "b/c": "1"}]}, ["/rows/1/a", "/rows/1/b~1c"]),
            ({"rows": [{"a": None}]}, ["/rows/0/a"]),
            ({"rows": [{"a": True}]}, ["/rows/0/a"]),
            ({"rows": [{"a": [1]}]}, ["/rows/0/a"]),
        ],
    )
    def test_bad_rows_are_named(
        self, service: Service, table: Lease, body: Any, pointers: list[str]
    ) -> None:
        response = post(service, table, json=body)
        assert response.status_code == 422, response.text
        assert [fault["pointer"] for fault in response.json()["errors"]] == pointers
