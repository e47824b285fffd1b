"""The form of a job as a page: its fields, what a check found, and what differs from the start."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request, Response

from api.comparison.differences import differences
from api.dashboard.api_client import ApiClient
from api.dashboard.page import render
from api.dashboard.submission import form
from api.dashboard.submission.fields import sections
from api.dashboard.submission.start import Start
from api.services.container import Services

Json = dict[str, Any]

#: A field that a specification does not have, and values that an empty field of the form means.
NOTHING = object()
EMPTY_VALUES = (None, {}, [])


@dataclass
class Typed:
    """What a person typed, and what is known about it."""

    spec: Json
    faults: list[Json] = field(default_factory=list)
    #: The result of a check without faults.
    checked: Json | None = None
    #: By which a form that is sent twice is known; None for a new form.
    once: str | None = None
    #: The texts of the fields, by pointer: `1e9` stays `1e9`.
    texts: Mapping[str, str] = field(default_factory=dict)


async def form_page(
    request: Request,
    api: ApiClient,
    services: Services,
    start: Start,
    typed: Typed,
    *,
    refusal: Json | None = None,
) -> Response:
    """Return the form for a specification.

    Args:
        request: for the page.
        api: with the rights of the person.
        services: of the application; its catalogue declares the methods.
        start: what the form began with.
        typed: what the fields hold.
        refusal: why the service did not take the job, although nothing is wrong with it.
    """
    presets, datasets = await asyncio.gather(
        api.get("/v1/presets", limit=100), api.get("/v1/datasets", limit=100)
    )
    spec = form.long_form(typed.spec)
    names = [each["name"] for each in datasets["data"]]
    parts = sections(services.methods.catalog, spec, names, job_name=start.name)
    # A fault stands at its field of the form; the pointer leads into the patch of a fork.
    faults = [{**each, "pointer": each.get("field", each["pointer"])} for each in typed.faults]
    form.attach(parts, faults)
    form.keep_texts(parts, typed.texts)
    compared = {"before": form.long_form(start.spec), "now": spec}
    rest = form.others_text(form.rest_of(spec, parts))
    return render(
        request,
        "submit.html",
        status_code=200 if refusal is None else refusal["status"],
        presets=presets["data"],
        preset=start.preset,
        origin=start.origin,
        address=start.address,
        sections=parts,
        others=typed.texts.get(form.OTHERS, rest) if faults else rest,
        others_faults=[each["detail"] for each in faults if each["pointer"] == form.OTHERS],
        faults=faults,
        refusal=refusal,
        checked=typed.checked,
        changes=[each for each in differences(compared) if _is_change(**each["values"])],
        shown=form.shown_methods(spec),
        once=typed.once or secrets.token_hex(16),
        teaches=next(
            (each["teaches"] for each in presets["data"] if each["name"] == start.preset), None
        ),
    )


def _is_change(before: Any = NOTHING, now: Any = NOTHING) -> bool:
    """Return whether a person made a difference: an empty field stands for an empty value too."""
    return now is not NOTHING or before not in EMPTY_VALUES
