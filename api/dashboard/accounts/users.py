"""The pages of people, for admins: add, change, disable, and see their keys."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import quote, urlencode

from fastapi import Form as FormField
from fastapi import Query, Request, Response

from api.dashboard.api_client import ApiClient, ApiError
from api.dashboard.forms import Form, Json, number
from api.dashboard.page import ApiDep, page_router, redirect, render
from shared.accounts.roles import ROLES

router = page_router()

PAGE = 50
#: What a person reads for each limit; others are called as in the API.
WORDS = {
    "running": "Jobs that run",
    "queued": "Jobs that wait",
    "device_seconds_week": "Device seconds in 7 days",
    "high_device_seconds_week": "Device seconds in 7 days at high priority",
    "storage_mib": "Storage in MiB",
    "requests_per_second": "Requests per second",
}
#: The beginning of the name of a limit's field.
LIMIT = "limits:"

Text = Annotated[str, FormField(max_length=1000)]


@router.get("/users")
async def get_users_page(
    request: Request, api: ApiDep, after: Annotated[str | None, Query(max_length=64)] = None
) -> Response:
    """Return the people by name, and a form to add a person."""
    return await _list(request, api, Form(), after=after or None)


@router.post("/users")
async def add_user(
    request: Request, api: ApiDep, name: Text = "", role: Text = "", weight: Text = ""
) -> Response:
    """Add a person and lead to their page."""
    form = Form({"name": name, "role": role, "weight": weight})
    try:
        await api.post("/v1/users", {"name": name, "role": role, "weight": number(weight)})
    except ApiError as error:
        form.add(error)
        return await _list(request, api, form, after=None)
    return redirect(_address(name))


@router.get("/users/{name}")
async def get_user_page(request: Request, api: ApiDep, name: str) -> Response:
    """Return a person: role, weight, limits, what they use, and their keys."""
    return await _page(request, api, name, Form())


@router.post("/users/{name}")
async def change_user(request: Request, api: ApiDep, name: str) -> Response:
    """Change role, weight and limits; an empty field stays as it is."""
    typed = {key: value for key, value in (await request.form()).items() if isinstance(value, str)}
    patch: Json = {}
    if typed.get("role"):
        patch["role"] = typed["role"]
    if typed.get("weight", "").strip():
        patch["weight"] = number(typed["weight"])
    limits = {
        key.removeprefix(LIMIT): number(value)
        for key, value in typed.items()
        if key.startswith(LIMIT) and value.strip()
    }
    if limits:
        patch["limits"] = limits
    return await _patch(request, api, name, patch, Form(typed))


@router.post("/users/{name}/{verb}")
async def switch_user(
    request: Request,
    api: ApiDep,
    name: str,
    verb: Literal["disable", "enable", "reset-limits"],
) -> Response:
    """Disable or enable a person, or give back the limits of the settings."""
    if verb == "disable":
        await api.call("DELETE", f"/v1/users/{name}", {})
        return redirect(_address(name))
    changes: dict[str, Json] = {"enable": {"disabled_at": None}, "reset-limits": {"limits": None}}
    return await _patch(request, api, name, changes[verb], Form())


async def _patch(request: Request, api: ApiClient, name: str, patch: Json, form: Form) -> Response:
    try:
        await api.patch(f"/v1/users/{name}", patch)
    except ApiError as error:
        form.add(error)
        return await _page(request, api, name, form)
    return redirect(_address(name))


async def _list(request: Request, api: ApiClient, form: Form, *, after: str | None) -> Response:
    listed = await api.get("/v1/users", limit=PAGE, after=after)
    people = listed["data"]
    older = "/users?" + urlencode({"after": people[-1]["name"]}) if listed["has_more"] else None
    return render(
        request,
        "accounts/users.html",
        status_code=form.status,
        people=people,
        older=older,
        form=form,
        roles=ROLES,
    )


async def _page(request: Request, api: ApiClient, name: str, form: Form) -> Response:
    person, keys = await asyncio.gather(
        api.get(f"/v1/users/{name}"), api.get("/v1/keys", user=name, limit=PAGE)
    )
    limits = [
        {"field": LIMIT + part, "label": WORDS.get(part, part.replace("_", " ")), "value": value}
        for part, value in person["limits"].items()
    ]
    return render(
        request,
        "accounts/user.html",
        status_code=form.status,
        person=person,
        limits=limits,
        valid_keys=sum(_is_valid(each) for each in keys["data"]),
        form=form,
        roles=ROLES,
    )


def _is_valid(key: Json) -> bool:
    expires_at = datetime.fromisoformat(key["expires_at"])
    return key["revoked_at"] is None and expires_at > datetime.now(UTC)


def _address(name: str) -> str:
    return f"/users/{quote(name, safe='')}"
