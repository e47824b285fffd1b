"""`GET /v1/presets`: specifications to begin with."""

from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.http.faults import suggestion
from api.http.responses import json_answer, list_of
from api.http.schemas import ListOf
from api.presets.presets import presets
from api.presets.schemas import Preset
from shared.errors import BadRequest, NotFound

router = APIRouter(prefix="/v1/presets", tags=["presets"])

Limit = Annotated[int, Query(ge=1, le=100)]


@router.get(
    "",
    summary="Specifications that can be submitted as they are, each a lesson",
    responses={200: {"model": ListOf[Preset]}},
)
def index(limit: Limit = 20, after: Annotated[str | None, Query(max_length=100)] = None) -> Any:
    """In the order in which they are best taken; `after` is a name."""
    names = [*presets()]
    if after is not None and after not in names:
        raise BadRequest(f"`after` is no place in this list: {_unknown(after)}")
    first = 0 if after is None else names.index(after) + 1
    chosen = [one.as_json() for one in islice(presets().values(), first, first + limit)]
    return json_answer(list_of(chosen, has_more=first + limit < len(names)))


@router.get("/{name}", summary="One preset", responses={200: {"model": Preset}})
def show(name: str) -> Any:
    """Its specification under `spec`, as one would write it."""
    found = presets().get(name)
    if found is None:
        raise NotFound(_unknown(name))
    return json_answer(found.as_json())


def _unknown(name: str) -> str:
    return f"There is no preset of this name. {suggestion(name, presets())}."
