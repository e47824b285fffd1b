"""Health checks."""

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request, Security

from api.deps import ServicesDep, without_key
from api.health.schemas import Alive, Ready
from api.health.workers import present_workers
from api.http.problem import RETRY_AFTER_SECONDS, problem
from api.http.responses import json_response
from api.services.container import Services
from shared.errors import Unavailable

public = APIRouter(tags=["health"])


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
        "worker": is_database_available and bool(present_workers(services)),
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


def _database_responds(services: Services) -> bool:
    try:
        with services.database.read() as connection:
            connection.execute(sa.select(1))
    except Unavailable:
        return False
    return True
