"""`GET /v1/catalog`: the methods that a job can use."""

from typing import Any

from fastapi import APIRouter, Security

from api.catalog.schemas import Entries
from api.deps import ServicesDep, right
from api.http.responses import json_response

router = APIRouter(prefix="/v1", tags=["catalogue"])


@router.get(
    "/catalog",
    dependencies=[Security(right("box:read"))],
    summary="The catalogue of methods, with their parameters as JSON Schema",
    responses={200: {"model": Entries}},
)
async def get_catalog(services: ServicesDep) -> Any:
    """Return `{slot: {name: {summary, source, parameters}}}`, and `metrics` by their names."""
    return json_response(services.methods.catalog)
