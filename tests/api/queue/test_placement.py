"""A job that has a checkpoint waits for its model of GPU, says so, and may be let go elsewhere."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.jobs import claims
from shared.jobs.attempts import Lease
from shared.jobs.planning.box import Device, Policy
from tests.api.queue.simulated import TOTAL, explain, show_devices
from tests.api.service import SPEC, Service, checkpoint_row

A100 = {"model": "A100"}


def _claim(service: Service, device: str, model: str) -> Lease | None:
    """Claim the next job on a worker that has one device."""
    devices = [Device(f"w/{device}", "h", TOTAL, TOTAL, model=model)]
    claimed = claims.claim_next(
        service.database, worker="w", host="h", devices=devices, policy=Policy()
    )
    return None if claimed is None else claimed.lease


def _interrupted(service: Service, *, has_checkpoint: bool = True, **changes: Any) -> str:
    """Return a job that ran on an A100 and waits again since two minutes."""
    service.submit(**changes)
    lease = _claim(service, "sim:0", "A100")
    assert lease is not None
    if has_checkpoint:
        service.record(lease, checkpoints=[checkpoint_row("last")])
    service.stop(lease)
    before = now() - timedelta(minutes=2)
    with service.database.write() as connection:
        connection.execute(sa.update(tables.attempts).values(ended_at=before))
        connection.execute(sa.update(tables.jobs).values(created_at=before))
    return lease.job_id


def test_no_device_of_the_model_is_said_and_allow_inexact_starts_the_job(service: Service) -> None:
    job = _interrupted(service)
    show_devices(service, A100 | {"state": "away"}, {"model": "T4"})
    found = explain(service, job)
    assert found["reason"] == "placement"
    assert "bit for bit only on A100" in found["summary"]
    device = next(each for each in found["devices"] if each["device"] == "w/sim:1")
    assert (device["reason"], device["model"]) == ("placement", "A100")
    assert _claim(service, "sim:1", "T4") is None
    change = {"patch": {"allow_inexact": True}, "via": "patch"}
    assert change in found["would_start_now_if"]
    headers = {"Content-Type": "application/merge-patch+json"}
    changed = service.client.patch(f"/v1/jobs/{job}", json=change["patch"], headers=headers)
    assert changed.json()["spec"]["resources"]["allow_inexact"] is True
    assert explain(service, job)["summary"].startswith("It starts now.")
    lease = _claim(service, "sim:1", "T4")
    assert lease is not None
    assert lease.job_id == job


def test_a_job_is_not_bound_without_a_checkpoint_or_determinism(service: Service) -> None:
    cases: list[dict[str, Any]] = [
        {"has_checkpoint": False},
        {"training": {"deterministic": False}},
    ]
    for changes in cases:
        job = _interrupted(service, **changes)
        show_devices(service, {"model": "T4"})
        assert explain(service, job)["reason"] is None
        service.post(f"/v1/jobs/{job}/cancel").raise_for_status()


@pytest.mark.parametrize("value", ["yes", 1])
def test_what_is_neither_true_nor_false_is_refused(service: Service, value: object) -> None:
    pointer = "/resources/allow_inexact"
    assert pointer in service.faults({**SPEC, "resources": {"allow_inexact": value}})
    headers = {"Content-Type": "application/merge-patch+json"}
    job = service.submit()
    changed = service.client.patch(
        f"/v1/jobs/{job}", json={"allow_inexact": value}, headers=headers
    )
    assert changed.status_code == 422


def test_a_submission_may_allow_it_from_the_start(service: Service) -> None:
    job = _interrupted(service, resources={"allow_inexact": True})
    show_devices(service, {"model": "T4"})
    assert explain(service, job)["reason"] is None
