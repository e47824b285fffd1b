"""The assignment of a claimed job."""

from shared.jobs.attempts import ClaimedJob, Lease
from worker.dispatch.device import Device
from worker.dispatch.handover import assignment_of

FIRST, SECOND = (Device(f"cuda:{i}", "A GPU", f"GPU-{i}", 24_000) for i in range(2))


def test_a_runner_gets_its_devices_as_the_worker_reports_them() -> None:
    claimed = ClaimedJob(Lease("job_1", 1), {}, None, None, SECOND.name)
    found = assignment_of(
        claimed, [SECOND], visible=[FIRST, SECOND], threads=2, memory_mib=0.0, is_shared=False
    )
    assert (found.device, found.uuid, found.index) == (SECOND.name, SECOND.uuid, 1)
    assert found.model == SECOND.as_json()["model"]
