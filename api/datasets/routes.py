"""`GET /v1/datasets`: the built-in data sets."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter

from api.catalog.hints import hint
from api.datasets.schemas import Dataset
from api.deps import ServicesDep
from api.http.requests import Limit
from api.http.responses import json_response, list_page
from api.http.schemas import list_of
from shared.datasets import FACTS, TABLE, is_available, list_tables
from shared.errors import NotFound

router = APIRouter(prefix="/v1/datasets", tags=["data sets"])


@router.get("", summary="List the data sets", responses={200: {"model": list_of(Dataset)}})
def list_datasets(services: ServicesDep, limit: Limit = 20, after: str | None = None) -> Any:
    """Return the data sets by name. `after` is a name."""
    names = [name for name in sorted(FACTS) if after is None or name > after]
    page = [_as_json(name, services.settings.home) for name in names[:limit]]
    return json_response(list_page(page, has_more=len(names) > limit))


@router.get("/{name}", summary="Get a data set", responses={200: {"model": Dataset}})
def get_dataset(services: ServicesDep, name: str) -> Any:
    """Return the facts of a data set, and whether it is on this box or has to be fetched first."""
    if name not in FACTS:
        raise NotFound(f"There is no data set of this name. {hint(name, FACTS)}.")
    return json_response(_as_json(name, services.settings.home))


def _as_json(name: str, home: Path) -> dict[str, Any]:
    return {
        "id": name,
        "object": "dataset",
        **FACTS[name].as_json(),
        "is_available": is_available(name, home),
        **({"files": list_tables(home)} if name == TABLE.name else {}),
    }
