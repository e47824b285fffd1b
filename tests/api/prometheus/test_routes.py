"""What Prometheus reads of a box, and that the files for operators use metrics that exist."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.errors import Failure
from shared.jobs import attempts, liveness
from shared.states import PRIORITY_NAMES
from tests.api.prometheus.samples import DIRECTORY, NAME, expressions, scrape
from tests.api.service import Service


@pytest.fixture(autouse=True)
def worker(service: Service) -> None:
    with service.database.write() as connection:
        devices = [{"name": "cpu:0"}, {"name": "cpu:1"}]
        liveness.record_worker(connection, worker="w", host="h", pid=1, devices=devices)


def test_jobs_queue_and_devices(service: Service) -> None:
    service.start_job()
    service.submit(priority="high")
    service.submit()
    service.app.state.services.queue_order._read_at = float("-inf")
    found = scrape(service)
    assert found["trainshed_jobs", "queued"] == 2
    assert found["trainshed_jobs", "running"] == 1
    assert found["trainshed_jobs", "failed"] == 0
    assert found["trainshed_waiting_jobs", "high"] == 1
    assert found["trainshed_longest_wait_seconds", "high"] > 0
    assert found["trainshed_longest_wait_seconds", "low"] == 0
    assert found["trainshed_devices", "cpu"] == 2
    assert found["trainshed_busy_devices", "cpu"] == 1
    assert found["trainshed_workers",] == 1
    assert found["trainshed_storage_bytes", "free"] > 0
    assert found["trainshed_database_bytes",] > 0


def test_waits_and_outcomes_are_counted_once_and_survive_a_deletion(service: Service) -> None:
    before = scrape(service)
    lease = service.start_job(priority="high")
    with service.database.write() as connection:
        jobs = tables.jobs.c
        earlier = now() - timedelta(seconds=100)
        of_job = sa.update(tables.jobs).where(jobs.id == lease.job_id)
        connection.execute(of_job.values(created_at=earlier))
    scrape(service)
    with service.database.write() as connection:
        failure = Failure(kind="out_of_memory", message="m", hint="h")
        attempts.fail(connection, lease, failure)
    for _ in range(2):
        after = scrape(service)
    service.client.delete(f"/v1/jobs/{lease.job_id}").raise_for_status()
    assert (
        scrape(service)["trainshed_wait_seconds_count", "high"]
        == (after["trainshed_wait_seconds_count", "high"])
    )
    grown = {key: value - before.get(key, 0.0) for key, value in after.items()}
    assert grown["trainshed_wait_seconds_count", "high"] == 1
    assert 90 <= grown["trainshed_wait_seconds_sum", "high"] < 300
    assert grown["trainshed_wait_seconds_bucket", "60.0", "high"] == 0
    assert grown["trainshed_attempts_ended_total", "out_of_memory"] == 1
    assert grown["trainshed_device_seconds_total", "out_of_memory"] > 0


def test_age_of_the_oldest_heartbeat(service: Service) -> None:
    assert scrape(service)["trainshed_heartbeat_age_seconds",] == 0
    service.start_job()
    with service.database.write() as connection:
        connection.execute(sa.update(tables.live).values(at=now() - timedelta(seconds=90)))
    assert scrape(service)["trainshed_heartbeat_age_seconds",] >= 90


def test_files_for_operators_use_metrics_that_exist(service: Service) -> None:
    exist = {name for name, *_ in scrape(service)}
    used = dict[str, set[str]]()
    for file, texts in expressions().items():
        used[file] = {name for text in texts for name in NAME.findall(text)}
        assert used[file] - exist == set(), file
    # Each metric of ours is on the dashboard.
    ends = ("_bucket", "_count", "_created")
    shown = {name for name in exist if name.startswith("trainshed_") and not name.endswith(ends)}
    assert shown - used["grafana.json"] == set()
    documented = set(NAME.findall((DIRECTORY.parent / "operations.md").read_text()))
    assert {name.removesuffix("_sum") for name in shown} <= documented


def test_labels_of_the_files_exist(service: Service) -> None:
    assert set(PRIORITY_NAMES.values()) == {"low", "normal", "high"}
    found = scrape(service)
    for sample in (
        ("trainshed_storage_bytes", "free"),
        ("trainshed_unusable_devices", "quarantined"),
    ):
        assert sample in found
