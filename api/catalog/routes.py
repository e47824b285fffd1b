"""`GET /v1/catalog`: the methods that a job can use, and the plots of each."""

from functools import cache
from typing import Any

from fastapi import APIRouter, Security

from api.catalog.hints import spelling_hint
from api.catalog.schemas import Entries, PlottedMethod
from api.deps import ServicesDep, right
from api.http.responses import json_response
from shared.catalog import SLOTS, Plots, load_plots
from shared.errors import NotFound

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


@router.get(
    "/catalog/{slot}/{name}",
    dependencies=[Security(right("box:read"))],
    summary="Get a method of the catalogue with its plots",
    responses={200: {"model": PlottedMethod}},
)
async def get_method(services: ServicesDep, slot: str, name: str) -> Any:
    """Return a method, with curves that its own code computes with its default parameters.

    `plots` is empty where there is nothing to plot.
    """
    if slot not in SLOTS:
        raise NotFound(f"There is no such part of the catalogue. {spelling_hint(slot, SLOTS)}")
    methods = services.methods.catalog[slot]
    if name not in methods:
        raise NotFound(f"There is no such method. {spelling_hint(name, methods)}")
    plots = _plots().get(slot, {}).get(name, [])
    return json_response({**methods[name], "object": "method", "name": name, "plots": plots})


@cache
def _plots() -> Plots:
    return load_plots()
