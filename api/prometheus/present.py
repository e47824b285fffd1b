"""Gauges of what is the case now: jobs, the queue, devices, storage, and requests that last."""

import shutil
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Gauge

from api.backup.writing import last_backup_at
from api.health.workers import present_workers
from api.services.container import Services
from shared import tables
from shared.clock import now
from shared.jobs import analyses, quarantine
from shared.local_access import SQLITE_SUFFIXES
from shared.states import PRIORITY_NAMES, STATES

DEVICE_KINDS = ("cpu", "cuda")


def gauges(services: Services) -> CollectorRegistry:
    """Return the gauges of a box, read now."""
    registry = CollectorRegistry()
    _jobs(services, registry)
    _queue(services, registry)
    _devices(services, registry)
    _storage(services, registry)
    feeds, waiting = services.event_feeds.count_followers(), services.watcher.count_waiting()
    for name, description, value in (
        ("event_streams", "Clients that follow the events of a job", feeds),
        ("waiting_requests", "Requests that wait for a change of a job, and streams", waiting),
        (
            "doorbell_rings",
            "Doorbell messages that the broker accepted",
            services.doorbell.rings,
        ),
        (
            "doorbell_failures",
            "Attempts to send a doorbell message that failed",
            services.doorbell.failures,
        ),
    ):
        _gauge(registry, name, description).set(value)
    return registry


def _gauge(
    registry: CollectorRegistry, name: str, description: str, labels: Iterable[str] = ()
) -> Gauge:
    return Gauge(f"trainshed_{name}", description, tuple(labels), registry=registry)


def _jobs(services: Services, registry: CollectorRegistry) -> None:
    jobs = _gauge(registry, "jobs", "Jobs by state", ["state"])
    column = tables.jobs.c
    query = sa.select(column.state, sa.func.count()).where(analyses.is_training())
    with services.database.read() as connection:
        counts = connection.execute(query.group_by(column.state)).all()
        quarantined = quarantine.count(connection)
        oldest = connection.execute(
            sa.select(sa.func.min(tables.live.c.at))
            .join_from(tables.live, tables.jobs)
            .where(column.state == "running")
        ).scalar()
    for state in STATES:
        jobs.labels(state).set(0)
    for state, count in counts:
        jobs.labels(state if state in STATES else "unknown").inc(count)
    text = "Jobs that cannot be read; the queue passes them"
    _gauge(registry, "quarantined_jobs", text).set(quarantined)
    text = "Age of the oldest heartbeat of a running job; 0 if none runs"
    _gauge(registry, "heartbeat_age_seconds", text).set(_age(oldest))


def _queue(services: Services, registry: CollectorRegistry) -> None:
    waiting = _gauge(registry, "waiting_jobs", "Jobs that wait, by priority", ["priority"])
    text = "How long the first submitted of the waiting jobs waits, by priority"
    longest = _gauge(registry, "longest_wait_seconds", text, ["priority"])
    jobs = tables.jobs.c
    query = sa.select(jobs.priority, sa.func.count(), sa.func.min(jobs.created_at))
    query = query.where(sa.text("jobs.state = 'queued'")).group_by(jobs.priority)
    for name in PRIORITY_NAMES.values():
        waiting.labels(name).set(0)
        longest.labels(name).set(0)
    with services.database.read() as connection:
        for priority, count, oldest in connection.execute(query):
            name = PRIORITY_NAMES.get(priority, "normal")
            waiting.labels(name).inc(count)
            longest.labels(name).set(_age(oldest))


def _devices(services: Services, registry: CollectorRegistry) -> None:
    workers = present_workers(services)
    kinds = Counter(_kind(device["name"]) for worker in workers for device in worker.devices)
    snapshot = services.queue_order.snapshot()
    used = {name for job in snapshot.box.running for name in job.devices}
    busy = Counter(_kind(name.rpartition("/")[2]) for name in used)
    closed = Counter(
        device.closed for device in snapshot.box.devices if device.closed in {"quarantined", "away"}
    )
    devices = _gauge(registry, "devices", "Devices by kind", ["kind"])
    text = "Devices on which a job runs, by kind"
    with_jobs = _gauge(registry, "busy_devices", text, ["kind"])
    for kind in DEVICE_KINDS:
        devices.labels(kind).set(kinds[kind])
        with_jobs.labels(kind).set(busy[kind])
    text = "Devices that get no job, by the reason"
    unusable = _gauge(registry, "unusable_devices", text, ["reason"])
    for reason in ("quarantined", "away"):
        unusable.labels(reason).set(closed[reason])
    _gauge(registry, "workers", "Workers seen recently").set(len(workers))


def _storage(services: Services, registry: CollectorRegistry) -> None:
    settings = services.settings
    disk = _gauge(registry, "storage_bytes", "Disk of the jobs' files", ["state"])
    with suppress(OSError):
        usage = shutil.disk_usage(settings.storage)
        disk.labels("free").set(usage.free)
        disk.labels("used").set(usage.used)
    _gauge(registry, "database_bytes", "Size of the database").set(_database_bytes(services))
    text = "Unix time of the last complete backup; 0 if there is none"
    at = last_backup_at(settings)
    _gauge(registry, "last_backup_timestamp_seconds", text).set(at)


def _database_bytes(services: Services) -> int:
    if services.database.is_sqlite:
        path = services.settings.database.removeprefix("sqlite:///")
        files = (Path(path + suffix) for suffix in SQLITE_SUFFIXES)
        return sum(file.stat().st_size for file in files if file.exists())
    query = sa.select(sa.func.pg_database_size(sa.func.current_database()))
    with services.database.read() as connection:
        return connection.execute(query).scalar_one()


def _kind(device: str) -> str:
    return device.partition(":")[0]


def _age(value: Any) -> float:
    return max(0.0, (now() - value).total_seconds()) if isinstance(value, datetime) else 0.0
