"""Jobs are refused before the disk is full."""

import shutil
from typing import Any, NamedTuple

import pytest

from api.jobs.disk_space import MIB, checkpoint_bytes
from tests.api.service import SPEC, Service, checkpoint_row

RESERVE = 1024 * MIB
#: Of the fake sidecar.
PARAMETERS = 1240


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A disk whose free bytes a test sets."""
    disk = {"free": 0}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, disk["free"]))
    return disk


def test_a_job_is_refused_with_numbers_and_what_to_delete(
    service: Service, disk: dict[str, int]
) -> None:
    disk["free"] = 2 * RESERVE
    lease = service.start_job(name="large")
    service.record(lease, checkpoints=[checkpoint_row("last", bytes=70 * MIB)])
    service.succeed(lease)
    running = service.start_job()
    service.record(running, checkpoints=[checkpoint_row("last", bytes=90 * MIB)])

    disk["free"] = RESERVE - 1
    response = service.post("/v1/jobs", SPEC)
    assert response.status_code == 507
    problem = response.json()
    assert problem["type"].endswith("disk-full")
    assert (problem["free_bytes"], problem["reserve_bytes"]) == (RESERVE - 1, RESERVE)
    assert problem["needed_bytes"] > 0
    assert "1,024 MiB" in problem["detail"]
    assert problem["largest_jobs"] == [
        {"id": lease.job_id, "name": "large", "weights_bytes": 70 * MIB}
    ]
    assert len(service.client.get("/v1/jobs").json()["data"]) == 2


def test_the_checkpoints_of_the_job_count(service: Service, disk: dict[str, int]) -> None:
    spec = {**SPEC, "checkpoints": [{"every_epochs": 1}], "training": {"epochs": 10}}
    disk["free"] = RESERVE
    needed = service.post("/v1/jobs", spec).json()["needed_bytes"]
    assert needed == 12 * 3 * 4 * PARAMETERS
    disk["free"] = RESERVE + needed - 1
    assert service.post("/v1/jobs", spec).status_code == 507
    disk["free"] = RESERVE + needed
    assert service.post("/v1/jobs", spec).status_code == 202


def test_a_retry_is_refused_below_the_reserve_and_works_after_a_deletion(
    service: Service, disk: dict[str, int]
) -> None:
    disk["free"] = 2 * RESERVE
    job_id = service.submit()
    service.post(f"/v1/jobs/{job_id}/cancel")
    disk["free"] = 0
    assert service.post(f"/v1/jobs/{job_id}/retry").status_code == 507
    disk["free"] = RESERVE
    assert service.post(f"/v1/jobs/{job_id}/retry").status_code == 202


def test_the_same_idempotency_key_gives_its_job_on_a_full_disk(
    service: Service, disk: dict[str, int]
) -> None:
    disk["free"] = 2 * RESERVE
    headers = {"Idempotency-Key": "full"}
    first = service.post("/v1/jobs", SPEC, **headers)
    disk["free"] = 0
    assert service.post("/v1/jobs", SPEC, **headers).json()["id"] == first.json()["id"]


@pytest.mark.parametrize(
    ("changes", "checkpoints", "copies"),
    [
        ({}, 2, 3),
        ({"checkpoints": [{"monitor": "val_loss"}, {"epoch": 0}]}, 4, 3),
        ({"checkpoints": [{"every_epochs": 3}]}, 5, 3),
        ({"training": {"epochs": 9, "early_stopping": {"restore_best": True}}}, 2, 4),
        ({"training": {"epochs": 9, "early_stopping": {"restore_best": False}}}, 2, 3),
        ({"fine_tuning": {"stages": [{"epochs": 2}, {"epochs": 4}]}}, 2, 3),
        (
            {
                "fine_tuning": {"stages": [{"epochs": 2}, {"epochs": 4}]},
                "checkpoints": [{"every_epochs": 2}],
            },
            5,
            3,
        ),
    ],
)
def test_bytes_of_the_checkpoints(changes: dict[str, Any], checkpoints: int, copies: int) -> None:
    spec = {"training": {"epochs": 9}, "checkpoints": [], **changes}
    assert checkpoint_bytes(spec, 10) == 10 * 4 * checkpoints * copies
