"""A change that `explain` names is what the next claim plans by."""

from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.jobs import claims
from shared.jobs.planning.box import Device, Policy
from shared.jobs.read_box import read_box
from tests.api.queue.simulated import TOTAL, explain, show_devices
from tests.api.service import Service


def _limited(seconds: int) -> dict[str, Any]:
    return {"resources": {"max_runtime_seconds": seconds}}


def test_a_job_that_ends_before_a_reservation_starts_once_its_limit_is_lower(
    service: Service,
) -> None:
    show_devices(service, {}, {})
    first = service.start_job(**_limited(1_000))
    with service.database.write() as connection:
        progress = {"eta_seconds": 90_000.0, "epoch": 5}
        live = {"worker": "w", "devices": ["sim:0"], "progress": progress}
        connection.execute(sa.update(tables.live).values(live))
    service.submit(resources={"gpus": 2})
    held = service.submit()
    found = explain(service, held)
    assert found["reason"] == "reserved"
    change = {"patch": {"max_runtime_seconds": 900}, "via": "patch"}
    assert change in found["would_start_now_if"]
    headers = {"Content-Type": "application/merge-patch+json"}
    service.client.patch(f"/v1/jobs/{held}", json=change["patch"], headers=headers)
    names = ("w/sim:0", "w/sim:1")
    devices = [Device(name, "h", total_mib=TOTAL, free_mib=TOTAL) for name in names]
    with service.database.read() as connection:
        planned = claims.propose(connection, worker="w", devices=devices, policy=Policy())
        (running,) = read_box(connection, Policy()).running
    assert planned is not None
    assert planned.job.id == held
    assert running.id == first.job_id
    assert running.ends_p90 - running.started_at <= 1_000, "no job runs longer than its limit"
