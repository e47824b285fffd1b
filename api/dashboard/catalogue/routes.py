"""The index of all methods, and the page of a method."""

import asyncio
import base64
import json
from typing import Annotated, Any

from fastapi import Form, Query, Request, Response

from api.dashboard.api_client import ApiClient, ApiError
from api.dashboard.catalogue.parameters import defaults, parameters
from api.dashboard.catalogue.slots import BY_NAME, SLOTS, example, is_used
from api.dashboard.charts.plot_chart import draw_plot
from api.dashboard.forms import number
from api.dashboard.page import ApiDep, page_router, render

router = page_router()

MAX_PRESETS = 100
#: The route that draws images before and after an augmentation, and the data set of the images.
PREVIEW, PREVIEWED = "/v1/augmentation/preview", "synthetic"
PREVIEWED_SLOT = "augmentations"
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
    """Return a method: formula, source, parameters, plots, and the presets that use it."""
    return await _page(request, api, slot, name)


@router.post("/catalog/augmentations/{name}")
async def preview_augmentation(
    request: Request, api: ApiDep, name: str, seed: Annotated[str, Form(max_length=20)] = "0"
) -> Response:
    """Return the page of an augmentation with images before and after it."""
    method = await api.get(f"/v1/catalog/augmentations/{name}")
    augmentation = {**method.get("preview_with", {}), name: True}
    body = {"dataset": PREVIEWED, "augmentation": augmentation, "seed": number(seed)}
    try:
        picture = await api.call("POST", PREVIEW, {}, json.dumps(body).encode())
    except ApiError as error:
        return await _page(request, api, "augmentations", name, why_not=error)
    text = base64.b64encode(picture.body).decode()
    return await _page(request, api, "augmentations", name, picture=text, seed=number(seed))


async def _page(
    request: Request,
    api: ApiClient,
    slot: str,
    name: str,
    *,
    picture: str | None = None,
    seed: int = -1,
    why_not: ApiError | None = None,
) -> Response:
    """Return the page of a method.

    Args:
        request: for the page.
        api: with the rights of the person.
        slot: of the method.
        name: of the method.
        picture: images before and after an augmentation, as base64.
        seed: with which they were drawn.
        why_not: why there is no picture.
    """
    method, presets, lessons = await asyncio.gather(
        api.get(f"/v1/catalog/{slot}/{name}"),
        api.get("/v1/presets", limit=MAX_PRESETS),
        api.get("/v1/presets", limit=MAX_PRESETS, kind="lesson"),
    )
    place = BY_NAME[slot]
    return render(
        request,
        "catalogue/method.html",
        slot=place,
        method_name=name,
        method=method,
        paragraphs=(method["description"] or "").split("\n\n"),
        plots=[draw_plot(each) for each in method["plots"]],
        has_preview=slot == PREVIEWED_SLOT,
        picture=picture,
        next_seed=seed + 1,
        why_not=why_not.problem["detail"] if why_not else None,
        status_code=why_not.status if why_not else 200,
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
