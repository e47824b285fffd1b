"""The pages that submit a job: a new job, or a job with changes in its specification.

What was typed is a part of the address that a check leads to, so that back, reload and a bookmark
show it again, and no page is the answer to a form that was sent.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query, Request, Response

from api.dashboard.api_client import ApiClient, ApiError
from api.dashboard.catalogue.slots import BY_NAME, example
from api.dashboard.page import ApiDep, page_router, redirect
from api.dashboard.submission import form
from api.dashboard.submission.draft import MAX_CHARACTERS, read_draft, write_draft
from api.dashboard.submission.fields import control_id
from api.dashboard.submission.start import Start, start_of_fork, start_of_new
from api.dashboard.submission.view import Typed, form_page
from api.deps import ServicesDep

router = page_router()

Json = dict[str, Any]
INVALID = 422
Draft = Annotated[str | None, Query(max_length=MAX_CHARACTERS)]


@router.get("/jobs/new")
async def get_new_job(
    request: Request,
    api: ApiDep,
    services: ServicesDep,
    preset: Annotated[str | None, Query(max_length=100)] = None,
    slot: Annotated[str | None, Query(max_length=64)] = None,
    method: Annotated[str | None, Query(max_length=64)] = None,
    draft: Draft = None,
) -> Response:
    """Return the form, filled with a preset, a method of the catalogue, or what was typed."""
    if draft is not None:
        values = read_draft(draft)
        start = await start_of_new(api, values.get("preset"))
        return await _show(request, api, services, start, values)
    start = await start_of_new(api, preset)
    spec = start.spec
    if slot in BY_NAME and method and not preset:
        spec = {**start.spec, **example(BY_NAME[slot], method)}
    return await form_page(request, api, services, start, Typed(spec))


@router.get("/jobs/{job_id}/fork")
async def get_fork(
    request: Request, api: ApiDep, services: ServicesDep, job_id: str, draft: Draft = None
) -> Response:
    """Return the form, filled with the specification of a job, or with what was typed."""
    start = await start_of_fork(api, services, job_id, request.state.account)
    if draft is not None:
        return await _show(request, api, services, start, read_draft(draft))
    return await form_page(request, api, services, start, Typed(start.spec))


@router.post("/jobs/new")
async def submit_new_job(request: Request, api: ApiDep, services: ServicesDep) -> Response:
    """Submit what was typed, or lead to the form with what a check finds."""
    values = await _values(request)
    start = await start_of_new(api, values.get("preset"))
    return await _answer(request, api, services, start, values)


@router.post("/jobs/{job_id}/fork")
async def submit_fork(
    request: Request, api: ApiDep, services: ServicesDep, job_id: str
) -> Response:
    """Submit a job's specification with changes, or lead to the form with what a check finds."""
    values = await _values(request)
    start = await start_of_fork(api, services, job_id, request.state.account)
    return await _answer(request, api, services, start, values)


async def _values(request: Request) -> dict[str, str]:
    """Return the fields of the form as text, without the carriage returns that browsers add."""
    fields = (await request.form()).items()
    return {name: text.replace("\r\n", "\n") for name, text in fields if isinstance(text, str)}


async def _answer(
    request: Request,
    api: ApiClient,
    services: ServicesDep,
    start: Start,
    values: Mapping[str, str],
) -> Response:
    """Submit the job and lead to it; or lead to the form, whose check finds the faults."""
    typed, refusal = _typed(values), None
    if values.get("action") == "submit" and not typed.faults:
        try:
            return redirect(f"/jobs/{await _submit(api, start, typed)}")
        except ApiError as error:
            if error.status != INVALID:
                refusal = error.problem
    address = write_draft(values)
    if refusal is not None or address is None:
        # A refusal depends on the moment; the form is its answer, and can be sent again.
        return await _show(request, api, services, start, values, refusal=refusal)
    return redirect(f"{start.address}?draft={address}#{_place(values, typed)}")


def _place(values: Mapping[str, str], typed: Typed) -> str:
    """Return the id of what a person looks for on the form that they sent."""
    if values.get("action") != "update":
        return "result"
    chosen = form.shown_methods(typed.spec)
    for pointer, name in _shown(values).items():
        if chosen.get(pointer) != name:
            return control_id(f"{pointer}/name")
    return "main"


async def _show(
    request: Request,
    api: ApiClient,
    services: ServicesDep,
    start: Start,
    values: Mapping[str, str],
    *,
    refusal: Json | None = None,
) -> Response:
    """Return the form with what was typed, and with what a check finds."""
    typed = _typed(values)
    if not typed.faults and refusal is None and values.get("action") != "update":
        try:
            typed.checked = await api.check("/v1/jobs/validate", typed.spec)
        except ApiError as error:
            if error.status == INVALID:
                typed.faults = error.problem["errors"]
            else:
                refusal = error.problem
    return await form_page(request, api, services, start, typed, refusal=refusal)


def _typed(values: Mapping[str, str]) -> Typed:
    """Return the specification that was typed, with the faults of its form."""
    spec, faults = form.read(values)
    form.drop_parameters_of_other_methods(spec, _shown(values))
    form.name_default_methods(spec)
    return Typed(spec, faults, once=values.get("once"), texts=values)


def _shown(values: Mapping[str, str]) -> dict[str, str]:
    """Return the names of the methods whose fields the form has, by pointer."""
    return {name[6:]: value for name, value in values.items() if name.startswith("shown:")}


async def _submit(api: ApiClient, start: Start, typed: Typed) -> str:
    """Submit a job and return its id.

    A second click makes no second job; another specification from the same form does.
    """
    content = json.dumps(typed.spec, sort_keys=True).encode()
    key = f"{typed.once or ''}-{hashlib.sha256(content).hexdigest()[:32]}"
    if start.origin is None:
        return (await api.post("/v1/jobs", typed.spec, idempotency_key=key))["id"]
    # The patch leaves out an empty name, so that the API finds a free one.
    old, spec = start.spec, typed.spec
    patch = [{"op": "remove", "path": f"/{name}"} for name in old if name not in spec] + [
        {"op": "add", "path": f"/{name}", "value": value}
        for name, value in spec.items()
        if old.get(name) != value
    ]
    path = f"/v1/jobs/{start.origin['id']}/fork"
    return (await api.post(path, {"patch": patch}, idempotency_key=key))["id"]
