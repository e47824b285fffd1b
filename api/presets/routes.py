"""`GET /v1/presets`: specifications to start from."""

from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query, Security
from pydantic import Field

from api.catalog.hints import spelling_hint
from api.deps import right
from api.http.requests import Limit
from api.http.responses import json_response, list_page
from api.http.schemas import list_of
from api.presets.presets import Kind, lessons, presets
from api.presets.schemas import Preset
from shared.errors import BadRequest, NotFound

#: Declared in the document; the error for another name is in words.
PresetName = Annotated[str, Field(json_schema_extra={"enum": [*presets(), *lessons()]})]
router = APIRouter(prefix="/v1/presets", tags=["presets"])


@router.get(
    "",
    dependencies=[Security(right("box:read"))],
    summary="List the presets",
    responses={200: {"model": list_of(Preset)}},
)
def list_presets(
    limit: Limit = 20,
    after: Annotated[PresetName | None, Query(max_length=100)] = None,
    kind: Kind = "preset",
) -> Any:
    """Return specifications that can be submitted without change, each of them a lesson.

    With `kind=lesson`, each specification has the fault that a rule of the diagnostics finds, and a
    healthy twin. `after` is the name of a preset of the same kind.
    """
    listed = lessons() if kind == "lesson" else presets()
    names = [*listed]
    if after is not None and after not in names:
        raise BadRequest(f"`after` must be the name of a {kind}. {_unknown(after, names)}")
    start = 0 if after is None else names.index(after) + 1
    page = [preset.as_json() for preset in islice(listed.values(), start, start + limit)]
    return json_response(list_page(page, has_more=start + limit < len(names)))


@router.get(
    "/{name}",
    dependencies=[Security(right("box:read"))],
    summary="Get a preset",
    responses={200: {"model": Preset}},
)
def get_preset(name: str) -> Any:
    """Return a preset or a lesson; its specification is under `spec`, as a user would write it."""
    preset = presets().get(name) or lessons().get(name)
    if preset is None:
        raise NotFound(_unknown(name, [*presets(), *lessons()]))
    return json_response(preset.as_json())


def _unknown(name: str, names: list[str]) -> str:
    return f"There is no preset of this name. {spelling_hint(name, names)}."
