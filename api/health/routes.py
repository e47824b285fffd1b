"""Whether the service lives, whether it is ready, and its figures for Prometheus."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from api.deps import ServicesDep
from api.errors import RETRY_AFTER_SECONDS, problem
from api.health.schemas import Alive, Ready
from api.http.responses import json_answer
from api.services import Services
from shared import tables
from shared.clock import now
from shared.errors import Unavailable
from shared.jobs import liveness
from shared.jobs.rows import WorkerRow
from shared.states import STATES

public = APIRouter(tags=["health"])
private = APIRouter(tags=["health"])

#: A worker shows itself twice a second; one that has not for so long does not count.
WORKER_FRESH = timedelta(seconds=20)


@public.get("/healthz", summary="Alive", responses={200: {"model": Alive}})
async def healthz() -> Any:
    """Answers as long as the process does."""
    return json_answer({"status": "alive"})


@public.get(
    "/readyz",
    summary="Database, broker, sidecar and a worker answer",
    responses={200: {"model": Ready}},
)
def readyz(request: Request, services: ServicesDep) -> Any:
    """200, or a problem of status 503 that says what does not answer; `parts` has each."""
    parts = {
        "database": _database_answers(services),
        "broker": services.doorbell.answers(),
        "sidecar": services.sidecar.answers(),
        "worker": False,
    }
    if parts["database"]:
        parts["worker"] = bool(_fresh_workers(services))
    missing = ", ".join(part for part, answers in parts.items() if not answers)
    if not missing:
        return json_answer({"status": "ready", "parts": parts})
    return problem(
        503,
        f"Not ready: no answer from {missing}.",
        instance=request.url.path,
        kind="not-ready",
        headers={"Retry-After": RETRY_AFTER_SECONDS},
        parts=parts,
    )


@private.get("/metrics", summary="Figures for Prometheus", response_class=PlainTextResponse)
def metrics(services: ServicesDep) -> Response:
    """Jobs by state, workers, rings of the doorbell."""
    registry = CollectorRegistry()
    jobs = Gauge("trainshed_jobs", "Jobs by state", ["state"], registry=registry)
    column = tables.jobs.c
    with services.database.read() as connection:
        counted = connection.execute(
            sa.select(column.state, sa.func.count()).group_by(column.state)
        ).all()
    for state in STATES:
        jobs.labels(state).set(0)
    for state, count in counted:
        jobs.labels(state).set(count)
    fresh = _fresh_workers(services)
    kinds = [device["name"].partition(":")[0] for one in fresh for device in one.devices]
    devices = Gauge("trainshed_devices", "Devices by kind", ["kind"], registry=registry)
    for kind in ("cpu", "cuda"):
        devices.labels(kind).set(kinds.count(kind))
    figures = {
        "trainshed_workers": ("Workers seen lately", len(fresh)),
        "trainshed_doorbell_rings": ("Rings that the broker took", services.doorbell.rung),
        "trainshed_doorbell_failures": ("Rings that it did not", services.doorbell.failed),
    }
    for name, (text, value) in figures.items():
        Gauge(name, text, registry=registry).set(value)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _database_answers(services: Services) -> bool:
    try:
        with services.database.read() as connection:
            connection.execute(sa.select(1))
    except Unavailable:
        return False
    return True


def _fresh_workers(services: Services) -> list[WorkerRow]:
    with services.database.read() as connection:
        known = liveness.list_workers(connection)
    return [worker for worker in known if now() - worker.seen_at < WORKER_FRESH]
