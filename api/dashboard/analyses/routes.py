"""The analyses of all jobs and of one, the form that starts one, and the page of an analysis."""

import asyncio
import json
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query, Request, Response

from api.dashboard.analyses import view
from api.dashboard.api_client import ApiClient, ApiError
from api.dashboard.catalogue.parameters import parameters
from api.dashboard.forms import Form
from api.dashboard.job import header
from api.dashboard.page import HEADERS, ApiDep, page_router, redirect, render
from shared.states import FINAL, STATES

router = page_router()

PAGE = 50
Json = dict[str, Any]


@router.get("/jobs/{job_id}/analyses")
async def get_analyses_page(
    request: Request,
    api: ApiDep,
    job_id: str,
    kind: Annotated[str, Query(max_length=64)] = "",
    checkpoint: Annotated[str, Query(max_length=100)] = "",
    after: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """Return the analyses of a job, and a form that starts another."""
    form = Form({"kind": kind, "checkpoint": checkpoint})
    return await _page(request, api, job_id, form, after=after or None)


@router.post("/jobs/{job_id}/analyses")
async def start_analysis(request: Request, api: ApiDep, job_id: str) -> Response:
    """Start an analysis and lead to it; faults are shown at their fields."""
    typed = {key: value for key, value in (await request.form()).items() if isinstance(value, str)}
    body = {key: _value(key, text) for key, text in typed.items() if text.strip()}
    try:
        analysis = await api.post(f"/v1/jobs/{job_id}/analyses", body)
    except ApiError as error:
        form = Form(typed)
        form.add(error)
        return await _page(request, api, job_id, form, after=None)
    return redirect(f"/analyses/{analysis['id']}")


@router.get("/analyses")
async def get_all_analyses_page(
    request: Request,
    api: ApiDep,
    kind: Annotated[str | None, Query(max_length=64)] = None,
    state: Annotated[str | None, Query(max_length=20)] = None,
    owner: Annotated[str | None, Query(max_length=64)] = None,
    after: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """Return the analyses of all jobs; the filters are part of the address."""
    filters = {"kind": kind, "state": state, "owner": owner}
    given = {name: value.strip() for name, value in filters.items() if value and value.strip()}
    listed, catalog = await asyncio.gather(
        api.get("/v1/analyses", limit=PAGE, after=after or None, **given),
        api.get("/v1/catalog"),
    )
    found = listed["data"]
    ids = [*dict.fromkeys(each["job"] for each in found)]
    jobs = await asyncio.gather(*(_job(api, each) for each in ids))
    older = None
    if listed["has_more"]:
        older = "/analyses?" + urlencode({**given, "after": found[-1]["id"]})
    return render(
        request,
        "analyses/all.html",
        analyses=view.rows(found),
        jobs={each: (job and job["name"]) or each for each, job in zip(ids, jobs, strict=True)},
        kinds=[*catalog["analyses"]],
        states=STATES,
        filters=filters,
        is_filtered=bool(given),
        is_first=not after,
        older=older,
    )


@router.get("/analyses/{analysis_id}")
async def get_analysis_page(request: Request, api: ApiDep, analysis_id: str) -> Response:
    """Return an analysis: its verdict, pictures, numbers and files."""
    analysis = await api.get(f"/v1/analyses/{analysis_id}")
    job, catalog = await asyncio.gather(_job(api, analysis["job"]), api.get("/v1/catalog"))
    return render(
        request,
        "analyses/analysis.html",
        analysis=analysis,
        job=job,
        method=catalog["analyses"].get(analysis["kind"]),
        word=view.word(analysis),
        sentence=view.sentence(analysis),
        summary=view.summary(analysis),
        pictures=view.pictures(analysis),
        values=view.values(analysis["result"]),
        tables=view.tables(analysis["result"]),
        can_cancel=view.can_cancel(analysis),
        is_final=analysis["state"] in FINAL,
    )


@router.get("/analyses/{analysis_id}/pictures/{name}.png")
async def get_picture(api: ApiDep, analysis_id: str, name: str) -> Response:
    """Return a picture to show on the page; the API serves all files as attachments."""
    path = f"/v1/analyses/{analysis_id}/artifacts/{name}.png/download"
    file = await api.call("GET", path, {})
    return Response(file.body, media_type=view.PICTURE, headers=HEADERS)


@router.post("/analyses/{analysis_id}/cancel")
async def cancel_analysis(api: ApiDep, analysis_id: str) -> Response:
    """Cancel an analysis and lead back to it."""
    await api.post(f"/v1/analyses/{analysis_id}/cancel")
    return redirect(f"/analyses/{analysis_id}")


async def _page(
    request: Request, api: ApiClient, job_id: str, form: Form, *, after: str | None
) -> Response:
    path = f"/v1/jobs/{job_id}"
    job, listed, checkpoints, catalog = await asyncio.gather(
        api.get(path),
        api.get(f"{path}/analyses", limit=PAGE, after=after),
        api.get(f"{path}/checkpoints", limit=100),
        api.get("/v1/catalog"),
    )
    kinds = catalog["analyses"]
    kind = form.value("kind") if form.value("kind") in kinds else next(iter(kinds))
    found = listed["data"]
    older = f"/jobs/{job_id}/analyses?after={found[-1]['id']}" if listed["has_more"] else None
    return render(
        request,
        "analyses/list.html",
        status_code=form.status,
        **header(job, "analyses"),
        analyses=view.rows(found),
        older=older,
        form=form,
        kinds=kinds,
        kind=kind,
        fields=[
            {"parameter": each, "choices": _choices(kinds[kind], each.name)}
            for each in parameters(kinds[kind])
        ],
        checkpoints=list(dict.fromkeys(each["name"] for each in checkpoints["data"])),
    )


def _choices(method: Json, name: str) -> list[str]:
    """Return the values of a parameter that has only some."""
    schema = method["parameters"]["properties"][name]
    if schema.get("type") == "boolean":
        return ["true", "false"]
    return [str(value) for value in schema.get("enum", ())]


def _value(name: str, text: str) -> Any:
    """Return a value that was typed: as JSON, or else as text."""
    if name in {"kind", "checkpoint"}:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


async def _job(api: ApiClient, job_id: str) -> Json | None:
    """Return the analysed job; None where it was deleted or is not visible to the person."""
    try:
        return await api.get(f"/v1/jobs/{job_id}")
    except ApiError:
        return None
