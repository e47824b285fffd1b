"""Devices with memory, as a worker reports them, and explanations by the newest plan."""

from typing import Any

from shared.jobs import liveness
from tests.api.service import Service

TOTAL = 24_000


def show_devices(service: Service, *devices: dict[str, Any]) -> None:
    """Report these devices of one worker, with these values instead of the defaults."""
    defaults = {"model": "GPU", "memory_mib": TOTAL, "has_own_memory": True}
    rows = [{"name": f"sim:{n}", **defaults, **device} for n, device in enumerate(devices)]
    with service.database.write() as connection:
        liveness.record_worker(connection, worker="w", host="h", pid=1, devices=rows)
    service.app.state.services.queue_order._read_at = float("-inf")


def explain(service: Service, job_id: str) -> Any:
    """Return why a job waits, as it is now."""
    service.app.state.services.queue_order._read_at = float("-inf")
    return service.client.get(f"/v1/jobs/{job_id}/explain").raise_for_status().json()
