"""The pages that submit a job: a new job, or a job with changes in its specification."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query, Request, Response

from api.comparison.differences import differences
from api.dashboard.api_client import ApiClient, ApiError
from api.dashboard.catalogue.slots import BY_NAME, example
from api.dashboard.page import ApiDep, page_router, redirect, render
from api.dashboard.submission import form
from api.dashboard.submission.fields import sections
from api.deps import ServicesDep
from shared.catalog import Catalog

router = page_router()

Json = dict[str, Any]
INVALID = 422
#: What a person can start with where no preset is chosen.
EMPTY: Json = {"dataset": {"name": "digits"}, "architecture": {"name": "mlp"}}

#: A field that a specification does not have, and values that an empty field of the form means.
NOTHING = object()
EMPTY_VALUES = (None, {}, [])


@router.get("/jobs/new")
async def get_new_job(
    request: Request,
    api: ApiDep,
    services: ServicesDep,
    preset: Annotated[str | None, Query(max_length=100)] = None,
    slot: Annotated[str | None, Query(max_length=64)] = None,
    method: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """Return the form, filled with a preset, or with a method of the catalogue."""
    start = EMPTY if not preset else (await api.get(f"/v1/presets/{preset}"))["spec"]
    spec = start
    if slot in BY_NAME and method and not preset:
        spec = {**start, **example(BY_NAME[slot], method)}
    return await _page(request, api, services.methods.catalog, start, spec, preset=preset)


@router.get("/jobs/{job_id}/fork")
async def get_fork(request: Request, api: ApiDep, services: ServicesDep, job_id: str) -> Response:
    """Return the form, filled with the specification of a job."""
    job = await api.get(f"/v1/jobs/{job_id}")
    return await _page(request, api, services.methods.catalog, job["spec"], job["spec"], origin=job)


@router.post("/jobs/new")
async def submit_new_job(request: Request, api: ApiDep, services: ServicesDep) -> Response:
    """Check or submit what was typed; faults are shown at their fields."""
    values = await _values(request)
    preset = values.get("preset") or None
    start = EMPTY if not preset else (await api.get(f"/v1/presets/{preset}"))["spec"]
    return await _answer(request, api, services.methods.catalog, start, values, preset=preset)


@router.post("/jobs/{job_id}/fork")
async def submit_fork(
    request: Request, api: ApiDep, services: ServicesDep, job_id: str
) -> Response:
    """Check or submit a job's specification with changes."""
    values = await _values(request)
    job = await api.get(f"/v1/jobs/{job_id}")
    return await _answer(request, api, services.methods.catalog, job["spec"], values, origin=job)


async def _values(request: Request) -> dict[str, str]:
    """Return the fields of the form as text."""
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


async def _answer(
    request: Request,
    api: ApiClient,
    catalog: Catalog,
    start: Json,
    values: Mapping[str, str],
    *,
    preset: str | None = None,
    origin: Json | None = None,
) -> Response:
    """Submit the job and lead to it; or return the form with what the check found."""
    spec, faults = form.read(values)
    shown = {name[6:]: value for name, value in values.items() if name.startswith("shown:")}
    form.drop_parameters_of_other_methods(spec, shown)
    form.name_default_methods(spec)
    checked, status = None, 200
    if not faults and values.get("action") != "update":
        try:
            if values.get("action") == "submit":
                return redirect(f"/jobs/{await _submit(api, spec, values['once'], origin)}")
            checked = await api.post("/v1/jobs/validate", spec)
        except ApiError as error:
            if error.status != INVALID:
                raise
            # A fault stands at its field of the form; the pointer leads into the patch.
            faults = [
                {**each, "pointer": each.get("field", each["pointer"])}
                for each in error.problem["errors"]
            ]
    if faults:
        status = INVALID
    return await _page(
        request,
        api,
        catalog,
        start,
        spec,
        preset=preset,
        origin=origin,
        faults=faults,
        checked=checked,
        once=values.get("once"),
        others=values.get(form.OTHERS),
        status=status,
    )


async def _submit(api: ApiClient, spec: Json, once: str, origin: Json | None) -> str:
    """Submit a job and return its id; a second click with the same `once` makes no second job."""
    if origin is None:
        return (await api.post("/v1/jobs", spec, idempotency_key=once))["id"]
    old = origin["spec"]
    patch = [{"op": "remove", "path": f"/{name}"} for name in old if name not in spec] + [
        {"op": "add", "path": f"/{name}", "value": value}
        for name, value in spec.items()
        if old.get(name) != value
    ]
    path = f"/v1/jobs/{origin['id']}/fork"
    return (await api.post(path, {"patch": patch}, idempotency_key=once))["id"]


async def _page(
    request: Request,
    api: ApiClient,
    catalog: Catalog,
    start: Json,
    spec: Json,
    *,
    preset: str | None = None,
    origin: Json | None = None,
    faults: list[dict[str, str]] | None = None,
    checked: Json | None = None,
    once: str | None = None,
    others: str | None = None,
    status: int = 200,
) -> Response:
    """Return the form for a specification.

    Args:
        request: for the page.
        api: with the rights of the person.
        catalog: declares the methods.
        start: the specification that the person started with, to show the differences.
        spec: as typed so far.
        preset: the name of the preset that the form began with.
        origin: the job that is forked.
        faults: of the specification.
        checked: the result of a check without faults.
        once: that the form has; None for a new form.
        others: the text of the field for the rest, as typed.
        status: of the response.
    """
    presets, datasets = await asyncio.gather(
        api.get("/v1/presets", limit=100), api.get("/v1/datasets", limit=100)
    )
    spec = form.long_form(spec)
    names = [each["name"] for each in datasets["data"]]
    parts = sections(catalog, spec, names)
    found = [dict(fault) for fault in faults or ()]
    form.attach(parts, found)
    compared = {"before": form.long_form(start), "now": spec}
    if others is None or not found:
        others = form.others_text(form.rest_of(spec, parts))
    return render(
        request,
        "submit.html",
        status_code=status,
        presets=presets["data"],
        preset=preset,
        origin=origin,
        sections=parts,
        others=others,
        others_faults=[each["detail"] for each in found if each["pointer"] == form.OTHERS],
        faults=found,
        checked=checked,
        changes=[each for each in differences(compared) if _is_change(**each["values"])],
        shown=form.shown_methods(spec),
        once=once or secrets.token_hex(16),
        teaches=next((each["teaches"] for each in presets["data"] if each["name"] == preset), None),
    )


def _is_change(before: Any = NOTHING, now: Any = NOTHING) -> bool:
    """Return whether a person made a difference: an empty field stands for an empty value too."""
    return now is not NOTHING or before not in EMPTY_VALUES
