"""`GET /v1/datasets`: the built-in data sets."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.datasets.schemas import Dataset
from api.deps import ServicesDep
from api.http.faults import suggestion
from api.http.responses import json_answer, list_of
from api.http.schemas import ListOf
from shared.datasets import FACTS, TABLE, is_available, list_tables
from shared.errors import NotFound

router = APIRouter(prefix="/v1/datasets", tags=["data sets"])

Limit = Annotated[int, Query(ge=1, le=100)]


@router.get("", summary="The data sets there are", responses={200: {"model": ListOf[Dataset]}})
def index(services: ServicesDep, limit: Limit = 20, after: str | None = None) -> Any:
    """By name; `after` is a name."""
    names = [name for name in sorted(FACTS) if after is None or name > after]
    chosen = [_shown(name, services.settings.home) for name in names[:limit]]
    return json_answer(list_of(chosen, has_more=len(names) > limit))


@router.get("/{name}", summary="One data set", responses={200: {"model": Dataset}})
def show(services: ServicesDep, name: str) -> Any:
    """Its facts, and whether it is at hand or has to be fetched first."""
    if name not in FACTS:
        raise NotFound(f"There is no dataset of this name. {suggestion(name, FACTS)}.")
    return json_answer(_shown(name, services.settings.home))


def _shown(name: str, home: Path) -> dict[str, Any]:
    return {
        "id": name,
        "object": "dataset",
        **FACTS[name].as_json(),
        "is_available": is_available(name, home),
        **({"files": list_tables(home)} if name == TABLE.name else {}),
    }
