"""`DELETE /v1/jobs/{id}`."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.errors import Conflict, InUse, InvalidSpec, NotFound
from shared.ids import new_id
from shared.jobs import control, deletion, mlflow_sync
from shared.jobs.submission import Submission, submit
from tests.api.service import Service, checkpoint_row, metric_row
from tests.shared.interleaving import interleave
from tests.shared.specs import filled_in

#: Of these tables, a deleted job has no row.
OF_JOB = [table for table in tables.metadata.tables.values() if "job_id" in table.c]


def _file(service: Service, job_id: str, name: str, size: int) -> Path:
    path = service.storage.job(job_id) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def _ended(service: Service, **changes: Any) -> str:
    """Return a job with rows in many tables that has succeeded."""
    lease = service.start_job(tags={"a": "b"}, **changes)
    service.record(
        lease, metrics=[metric_row("val_loss", 1, 0.5)], checkpoints=[checkpoint_row("last")]
    )
    service.succeed(lease)
    return lease.job_id


def _rows(service: Service, job_id: str) -> dict[str, int]:
    with service.database.read() as connection:
        counts = {
            table.name: connection.execute(
                sa.select(sa.func.count()).select_from(table).where(table.c.job_id == job_id)
            ).scalar_one()
            for table in OF_JOB
        }
    return {name: count for name, count in counts.items() if count}


def _submit(service: Service, **changes: Any) -> str:
    fields = {name: changes.pop(name) for name in ("retry_of", "resume_from") if name in changes}
    with service.database.write() as connection:
        return submit(connection, Submission(owner="a", spec=filled_in(**changes), **fields))[0]


def _tuning(job_id: str) -> dict[str, Any]:
    return {"weights": {"job": job_id, "checkpoint": "last"}}


@pytest.fixture(autouse=True)
def _no_deletions(service: Service) -> Iterator[None]:
    yield
    with service.database.write() as connection:
        connection.execute(sa.delete(tables.deletions))


def test_job_is_gone_with_all_its_rows_and_files(service: Service) -> None:
    job_id, other = _ended(service), _ended(service)
    _file(service, job_id, "1/step-4/weights.safetensors", 1000)
    _file(service, job_id, "1/log.txt", 24)
    kept = _file(service, other, "1/log.txt", 7)
    assert {"metrics", "checkpoints", "events", "tags", "attempts", "live"} <= set(
        _rows(service, job_id)
    )
    response = service.client.delete(f"/v1/jobs/{job_id}")
    assert response.status_code == 200
    assert response.json() == {
        "id": job_id,
        "object": "job",
        "deleted": True,
        "bytes_freed": 1024,
    }
    assert _rows(service, job_id) == {}
    assert not service.storage.job(job_id).exists()
    for path in ("", "/events", "/metrics", "/checkpoints", "/logs", "/artifacts", "/top-k"):
        assert service.client.get(f"/v1/jobs/{job_id}{path}").status_code == 404
    assert service.client.delete(f"/v1/jobs/{job_id}").status_code == 404
    assert service.post(f"/v1/jobs/{job_id}/cancel").status_code == 404
    assert kept.exists()
    assert service.job(other)["state"] == "succeeded"


def test_list_continues_after_a_deleted_job(service: Service) -> None:
    first, second, third = (_ended(service) for _ in range(3))
    service.client.delete(f"/v1/jobs/{second}")
    listed = service.client.get("/v1/jobs").json()["data"]
    assert [job["id"] for job in listed] == [third, first]
    page = service.client.get("/v1/jobs", params={"after": second}).json()
    assert [job["id"] for job in page["data"]] == [first]


@pytest.mark.parametrize("state", ["queued", "running", "paused"])
def test_job_that_has_not_ended_is_refused(service: Service, state: str) -> None:
    job_id = service.submit()
    if state == "running":
        service.claim()
    elif state == "paused":
        service.post(f"/v1/jobs/{job_id}/pause")
    path = _file(service, job_id, "1/log.txt", 3)
    response = service.client.delete(f"/v1/jobs/{job_id}")
    assert response.status_code == 409
    assert response.json()["state"] == state
    assert response.json()["allowed"] == ["cancelled", "failed", "succeeded"]
    assert path.exists()


def test_job_whose_checkpoint_is_needed_is_refused_until_the_other_job_has_ended(
    service: Service,
) -> None:
    source = _ended(service)
    needed_by = [
        _submit(service, fine_tuning=_tuning(source)),
        _submit(service, retry_of=source, resume_from="ckpt_x"),
    ]
    _submit(service, tags={"compare": source})  # mentions it only
    _submit(service, retry_of=source)  # starts from the beginning
    response = service.client.delete(f"/v1/jobs/{source}")
    assert response.status_code == 409
    assert response.json()["type"].endswith(":in_use")
    assert (response.json()["jobs"], response.json()["count"]) == (needed_by, 2)
    for job_id in needed_by:
        service.post(f"/v1/jobs/{job_id}/cancel")
    assert service.client.delete(f"/v1/jobs/{source}").status_code == 200


@pytest.mark.parametrize("delete_first", [True, False])
@pytest.mark.parametrize("kind", ["fine_tuning", "retry"])
def test_deletion_and_a_new_job_from_its_checkpoint_exclude_each_other(
    service: Service, kind: str, delete_first: bool
) -> None:
    source = _ended(service)
    spec = filled_in(**({"fine_tuning": _tuning(source)} if kind == "fine_tuning" else {}))
    retry: Any = {"retry_of": source, "resume_from": "ckpt_x"} if kind == "retry" else {}

    def use(connection: sa.Connection) -> None:
        submit(connection, Submission(owner="a", spec=spec, **retry))

    def delete(connection: sa.Connection) -> None:
        deletion.delete_job(connection, source, only_owner=None)

    first, second = (delete, use) if delete_first else (use, delete)
    errors = interleave(service.database, first, second)
    assert errors[0] is None
    expected = (InvalidSpec if kind == "fine_tuning" else Conflict) if delete_first else InUse
    assert type(errors[1]) is expected


def test_retry_and_deletion_exclude_each_other(service: Service) -> None:
    for retry_first in (True, False):
        job_id = service.submit()
        service.post(f"/v1/jobs/{job_id}/cancel")

        def retry(connection: sa.Connection, job_id: str = job_id) -> None:
            control.get_retry_origin(connection, job_id)

        def delete(connection: sa.Connection, job_id: str = job_id) -> None:
            deletion.delete_job(connection, job_id, only_owner=None)

        order = (retry, delete) if retry_first else (delete, retry)
        errors = interleave(service.database, *order)
        assert [type(error) for error in errors if error] == ([] if retry_first else [NotFound])


def test_files_that_another_job_shares_stay_and_are_not_counted(service: Service) -> None:
    job_id, retry = _ended(service), _ended(service)
    shared = _file(service, job_id, "1/step-4/weights.safetensors", 1000)
    _file(service, job_id, "1/log.txt", 24)
    link = service.storage.job(retry) / "1" / "weights.safetensors"
    link.parent.mkdir(parents=True)
    os.link(shared, link)
    assert service.client.delete(f"/v1/jobs/{job_id}").json()["bytes_freed"] == 24
    assert link.read_bytes() == b"x" * 1000
    assert service.client.delete(f"/v1/jobs/{retry}").json()["bytes_freed"] == 1000


def test_files_of_an_interrupted_deletion_are_deleted_later(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = _ended(service)
    _file(service, job_id, "1/log.txt", 24)
    with service.database.write() as connection:
        deletion.delete_job(connection, job_id, only_owner=None)
    # The process is killed here.
    with service.database.read() as connection:
        assert deletion.list_interrupted(connection) == []
    monkeypatch.setattr(deletion, "INTERRUPTED_AFTER", timedelta(0))
    with service.database.read() as connection:
        interrupted = deletion.list_interrupted(connection)
    assert interrupted == [job_id]
    assert deletion.delete_files(service.database, service.storage, interrupted) == 24
    assert not service.storage.job(job_id).exists()
    with service.database.read() as connection:
        assert deletion.list_interrupted(connection) == []


def test_analyses_of_a_job_are_deleted_with_it_once_they_have_ended(service: Service) -> None:
    job_id, analysis = _ended(service), "ana_" + "0" * 26
    with service.database.write() as connection:
        row = dict(
            connection.execute(sa.select(tables.jobs).where(tables.jobs.c.id == job_id))
            .mappings()
            .one()
        )
        connection.execute(sa.insert(tables.jobs), {**row, "id": analysis, "state": "queued"})
        connection.execute(
            sa.insert(tables.analyses),
            {
                "id": analysis,
                "subject_id": job_id,
                "kind": "curvature",
                "checkpoint_id": "ckpt_x",
                "checkpoint_name": "last",
                "parameters": {},
                "memory_mib": 1.0,
                "fingerprint": "0" * 64,
            },
        )
    _file(service, analysis, "results/values.npz", 5)
    refused = service.client.delete(f"/v1/jobs/{job_id}")
    assert (refused.status_code, refused.json()["jobs"]) == (409, [analysis])
    assert service.post(f"/v1/analyses/{analysis}/cancel").status_code == 202
    assert service.client.delete(f"/v1/jobs/{job_id}").json()["bytes_freed"] == 5
    assert service.client.get(f"/v1/analyses/{analysis}").status_code == 404
    assert not service.storage.job(analysis).exists()


def test_same_idempotency_key_makes_a_new_job_after_the_deletion(service: Service) -> None:
    body = {"dataset": "digits", "architecture": "mlp"}
    headers = {"Idempotency-Key": "once"}
    first = service.post("/v1/jobs", body, **headers).json()["id"]
    service.post(f"/v1/jobs/{first}/cancel")
    service.client.delete(f"/v1/jobs/{first}")
    again = service.post("/v1/jobs", body, **headers)
    assert again.status_code == 202
    assert again.json()["id"] != first


def test_what_mlflow_got_of_a_deleted_job_is_not_recorded(service: Service) -> None:
    job_id = new_id("job")
    with service.database.write() as connection:
        mlflow_sync.record_run(connection, job_id, "a run")
        mlflow_sync.record_sent(connection, job_id, 3)
        assert mlflow_sync.get_copy(connection, job_id).run_id is None


@pytest.mark.parametrize("damaged", ["", ".", "..", "../..", "/", "job_", "job_../../x"])
def test_a_damaged_record_of_a_deletion_deletes_no_directory(
    service: Service, damaged: str
) -> None:
    with service.database.write() as connection:
        row = {"job_id": damaged, "deleted_at": now() - timedelta(hours=1)}
        connection.execute(sa.insert(tables.deletions), row)
    with service.database.read() as connection:
        assert deletion.list_interrupted(connection) == []
