"""Health checks, and metrics for Prometheus."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response, Security
from fastapi.responses import PlainTextResponse
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    generate_latest,
)

from api.deps import ServicesDep, right, without_key
from api.health.schemas import Alive, Ready
from api.http.problem import RETRY_AFTER_SECONDS, problem
from api.http.responses import json_response
from api.services.container import Services
from shared import tables
from shared.clock import now
from shared.errors import Unavailable
from shared.jobs import analyses, liveness, quarantine, unreadable_rows
from shared.jobs.rows import WorkerRow
from shared.states import STATES

public = APIRouter(tags=["health"])
private = APIRouter(tags=["health"])

#: Workers report twice a second. After so long without a report they count as gone.
MAX_SILENCE = timedelta(seconds=20)
DEVICE_KINDS = ("cpu", "cuda")


@public.get(
    "/healthz",
    dependencies=[Security(without_key)],
    summary="Check that the process responds",
    responses={200: {"model": Alive}},
)
async def get_health() -> Any:
    """Return 200 as long as the process responds."""
    return json_response({"status": "alive"})


@public.get(
    "/readyz",
    dependencies=[Security(without_key)],
    summary="Check that database, broker, sidecar and a worker respond",
    responses={200: {"model": Ready}},
)
def get_readiness(request: Request, services: ServicesDep) -> Any:
    """Return 200, or 503 with the state of each part in `parts`."""
    is_database_available = _database_responds(services)
    parts = {
        "database": is_database_available,
        "broker": services.doorbell.responds(),
        "sidecar": services.sidecar.responds(),
        "worker": is_database_available and bool(_present_workers(services)),
    }
    missing = ", ".join(part for part, responds in parts.items() if not responds)
    if not missing:
        return json_response({"status": "ready", "parts": parts})
    return problem(
        503,
        f"Not ready: no response from {missing}.",
        instance=request.url.path,
        kind="not-ready",
        headers={"Retry-After": RETRY_AFTER_SECONDS},
        parts=parts,
    )


@private.get(
    "/metrics",
    dependencies=[Security(right("box:read"))],
    summary="Get metrics for Prometheus",
    response_class=PlainTextResponse,
)
def get_prometheus_metrics(services: ServicesDep) -> Response:
    """Return the number of jobs by state, workers, devices and doorbell messages."""
    registry = CollectorRegistry()
    jobs = Gauge("trainshed_jobs", "Jobs by state", ["state"], registry=registry)
    column = tables.jobs.c
    with services.database.read() as connection:
        counts = connection.execute(
            sa.select(column.state, sa.func.count())
            .where(analyses.is_training())
            .group_by(column.state)
        ).all()
        quarantined = quarantine.count(connection)
    for state in STATES:
        jobs.labels(state).set(0)
    for state, count in counts:
        jobs.labels(state if state in STATES else "unknown").inc(count)
    workers = _present_workers(services)
    kinds = [device["name"].partition(":")[0] for worker in workers for device in worker.devices]
    devices = Gauge("trainshed_devices", "Devices by kind", ["kind"], registry=registry)
    for kind in DEVICE_KINDS:
        devices.labels(kind).set(kinds.count(kind))
    gauges = {
        "trainshed_quarantined_jobs": (
            "Jobs that cannot be read; the queue passes them",
            quarantined,
        ),
        "trainshed_workers": ("Workers seen recently", len(workers)),
        "trainshed_doorbell_rings": (
            "Doorbell messages that the broker accepted",
            services.doorbell.rings,
        ),
        "trainshed_doorbell_failures": (
            "Attempts to send a doorbell message that failed",
            services.doorbell.failures,
        ),
    }
    for name, (description, value) in gauges.items():
        Gauge(name, description, registry=registry).set(value)
    rows = Counter(
        "trainshed_unreadable_rows",
        "Rows that this process could not read",
        ["table"],
        registry=registry,
    )
    for table in tables.metadata.tables:
        rows.labels(table).inc(unreadable_rows.counts().get(table, 0))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _database_responds(services: Services) -> bool:
    try:
        with services.database.read() as connection:
            connection.execute(sa.select(1))
    except Unavailable:
        return False
    return True


def _present_workers(services: Services) -> list[WorkerRow]:
    with services.database.read() as connection:
        workers = liveness.list_workers(connection)
    # A clock that was set back leaves times in the future, of workers that may be gone.
    return [worker for worker in workers if abs(now() - worker.seen_at) < MAX_SILENCE]
