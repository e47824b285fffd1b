"""The page of keys and sessions: make, rotate and revoke keys, and log out other browsers."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Form as FormField
from fastapi import Query, Request, Response

from api.accounts.schemas import DEFAULT_DAYS, DEFAULT_GRACE_SECONDS, MAX_DAYS
from api.dashboard.api_client import ApiClient, ApiError
from api.dashboard.forms import Form, Json, number
from api.dashboard.page import ApiDep, page_router, redirect, render
from shared.accounts.roles import ROLES, SCOPES

router = page_router()

PAGE = 50
#: A key that expires sooner is marked.
SOON = timedelta(days=7)
#: How long the old key stays valid, in seconds, as a person reads it.
GRACES = ((0, "at once"), (DEFAULT_GRACE_SECONDS, "in an hour"), (86_400, "in a day"))
#: A key is on the page that makes it, and nowhere else.
NO_STORE = {"Cache-Control": "no-store"}

Text = Annotated[str, FormField(max_length=1000)]


@router.get("/keys")
async def get_keys_page(
    request: Request,
    api: ApiDep,
    after: Annotated[str | None, Query(max_length=40)] = None,
    user: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """Return the person's keys and sessions; admins see the keys of `user`, `*` for all."""
    return await _page(request, api, Form(), after=after or None, user=user)


@router.post("/keys")
async def create_key(
    request: Request,
    api: ApiDep,
    name: Text = "",
    scope: Text = "",
    days: Text = "",
    user: Text = "",
) -> Response:
    """Make a key and show it; faults are shown at their fields."""
    form = Form({"name": name, "scopes": scope, "expires_in_days": days, "user": user})
    body = {"name": name.strip(), "scopes": [scope], "expires_in_days": number(days)}
    try:
        made = await api.post("/v1/keys", {**body, **({"user": user} if user.strip() else {})})
    except ApiError as error:
        form.add(error)
        return await _page(request, api, form, after=None, user=None)
    return _shown(request, made, replaced=None)


@router.post("/keys/{key_id}/rotate")
async def rotate_key(request: Request, api: ApiDep, key_id: str, grace: Text = "") -> Response:
    """Replace a key and show its successor."""
    body = {"grace_seconds": number(grace)} if grace else None
    made = await api.post(f"/v1/keys/{key_id}/rotate", body)
    return _shown(request, made, replaced=dict(map(_as_text, GRACES)).get(grace, "soon"))


@router.post("/keys/{key_id}/revoke")
async def revoke_key(api: ApiDep, key_id: str) -> Response:
    """Revoke a key and lead to the list."""
    await api.call("DELETE", f"/v1/keys/{key_id}", {})
    return redirect("/keys")


@router.post("/sessions/{session_id}/end")
async def end_session(api: ApiDep, session_id: str) -> Response:
    """Log out a browser and lead to the list."""
    await api.call("DELETE", f"/v1/sessions/{session_id}", {})
    return redirect("/keys#sessions")


async def _page(
    request: Request, api: ApiClient, form: Form, *, after: str | None, user: str | None
) -> Response:
    """Return the list of keys, the form, and the sessions."""
    me = await api.get("/v1/me")
    owner = {"user": me["name"] if user is None else user} if user != "*" else {}
    listed, sessions = await asyncio.gather(
        api.get("/v1/keys", limit=PAGE, after=after, **owner),
        api.get("/v1/sessions", limit=PAGE),
    )
    current = next((each["key"] for each in sessions["data"] if each["is_current"]), None)
    older = None
    if listed["has_more"]:
        given = {"user": user} if user is not None else {}
        older = "/keys?" + urlencode({**given, "after": listed["data"][-1]["id"]})
    return render(
        request,
        "accounts/keys.html",
        status_code=form.status,
        me=me,
        user=user,
        form=form,
        keys=[_row(each, current) for each in listed["data"]],
        names={each["id"]: each["name"] for each in listed["data"]},
        older=older,
        sessions=sessions["data"],
        scopes=SCOPES[: ROLES.index(me["role"]) + 1],
        graces=GRACES,
        default_grace=DEFAULT_GRACE_SECONDS,
        default_days=DEFAULT_DAYS,
        most_days=MAX_DAYS,
    )


def _row(key: Json, current: str | None) -> Json:
    """Return a key with what a person reads of its state."""
    at = datetime.now(UTC)
    expires_at = datetime.fromisoformat(key["expires_at"])
    state = "valid"
    if key["revoked_at"] is not None:
        state = "revoked"
    elif expires_at <= at:
        state = "expired"
    elif expires_at <= at + SOON:
        state = "expires soon"
    return {
        **key,
        "state": state,
        "is_valid": state in {"valid", "expires soon"},
        "is_current": key["id"] == current,
    }


def _shown(request: Request, made: Json, *, replaced: str | None) -> Response:
    page = render(
        request,
        "accounts/new_key.html",
        status_code=201,
        made=made,
        replaced=replaced,
        address=str(request.base_url).rstrip("/"),
    )
    page.headers.update(NO_STORE)
    return page


def _as_text(grace: tuple[int, str]) -> tuple[str, Any]:
    return str(grace[0]), grace[1]
