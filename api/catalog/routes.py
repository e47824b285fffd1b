"""`GET /v1/catalog`: what can be trained."""

from typing import Any

from fastapi import APIRouter

from api.catalog.schemas import Entries
from api.deps import ServicesDep
from api.http.responses import json_answer

router = APIRouter(prefix="/v1", tags=["catalogue"])


@router.get(
    "/catalog",
    summary="What can be trained, with every parameter as JSON Schema",
    responses={200: {"model": Entries}},
)
async def show(services: ServicesDep) -> Any:
    """Return `{slot: {name: {summary, source, parameters}}}`, and `metrics` by their names."""
    return json_answer(services.methods.catalog)
