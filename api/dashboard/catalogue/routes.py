"""The index of all methods, and the page of a method."""

import asyncio
from typing import Annotated, Any

from fastapi import Query, Request, Response

from api.catalog.hints import spelling_hint
from api.dashboard.catalogue.parameters import defaults, parameters
from api.dashboard.catalogue.slots import BY_NAME, SLOTS, example, is_used
from api.dashboard.page import ApiDep, page_router, render
from shared.errors import NotFound

router = page_router()

MAX_PRESETS = 100
Json = dict[str, Any]


@router.get("/catalog")
async def get_catalogue_page(
    request: Request, api: ApiDep, q: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """Return every method and metric with its summary; `q` keeps what contains all its words."""
    catalog = await api.get("/v1/catalog")
    words = q.lower().split()
    sections = [(slot, _found(words, catalog[slot.name])) for slot in SLOTS]
    return render(
        request,
        "catalogue/index.html",
        q=q,
        sections=[each for each in sections if each[1]],
        metrics=_found(words, catalog["metrics"]),
        count=sum(len(methods) for _, methods in sections),
    )


@router.get("/catalog/{slot}/{name}")
async def get_method_page(request: Request, api: ApiDep, slot: str, name: str) -> Response:
    """Return a method: formula, source, parameters, and the presets that use it."""
    catalog, presets, lessons = await asyncio.gather(
        api.get("/v1/catalog"),
        api.get("/v1/presets", limit=MAX_PRESETS),
        api.get("/v1/presets", limit=MAX_PRESETS, kind="lesson"),
    )
    if slot not in BY_NAME:
        raise NotFound(f"There is no such part of the catalogue. {spelling_hint(slot, BY_NAME)}")
    methods = catalog[slot]
    if name not in methods:
        raise NotFound(f"There is no such method. {spelling_hint(name, methods)}")
    method, place = methods[name], BY_NAME[slot]
    return render(
        request,
        "catalogue/method.html",
        slot=place,
        method_name=name,
        method=method,
        paragraphs=(method["description"] or "").split("\n\n"),
        parameters=parameters(method),
        example=example(place, name, defaults(method)),
        presets=[each for each in presets["data"] if is_used(place, name, each["spec"])],
        lesson=next(
            (each for each in lessons["data"] if slot == "diagnostics" and each["name"] == name),
            None,
        ),
    )


def _found(words: list[str], entries: dict[str, Json]) -> list[tuple[str, Json]]:
    """Return the entries whose name, summary or source contains every word."""
    return [
        (name, each)
        for name, each in entries.items()
        if all(word in f"{name} {each['summary']} {each.get('source')}".lower() for word in words)
    ]
