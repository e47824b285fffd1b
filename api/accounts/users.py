"""`/v1/users` and `/v1/me`: the people who share the box."""

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request, Response, Security
from fastapi.concurrency import run_in_threadpool

from api.accounts.bodies import read_body
from api.accounts.schemas import NewUser, User, UserName, UserPatch, body_of
from api.deps import PrincipalDep, ServicesDep, right
from api.http.requests import Limit, json_body
from api.http.responses import json_response, list_page
from api.http.schemas import LOCATION, list_of
from api.services.container import Services
from api.services.principal import Principal
from api.services.use import use_json
from shared.accounts import users
from shared.accounts.limits import LIMITS, default_limits, limit_of
from shared.accounts.users import UserRow
from shared.clock import rfc3339
from shared.settings import Settings

#: A fixed address below that of one user.
ME = ("GET", "/v1/users/me")

router = APIRouter(tags=["accounts"])

PATCH_TYPES = ("application/merge-patch+json", "application/json")


@router.post(
    "/users",
    dependencies=[Security(right("users:write"))],
    status_code=201,
    summary="Add a person",
    openapi_extra=body_of(NewUser),
    responses={201: {"model": User, **LOCATION}},
)
async def create_user(request: Request, services: ServicesDep, principal: PrincipalDep) -> Any:
    """Add a person, who can do nothing before they have a key: `POST /v1/keys` with `user`."""
    new = read_body(await json_body(request), NewUser)
    shown = await run_in_threadpool(_create, services, principal, new)
    return json_response(shown, status=201, headers={"Location": f"/v1/users/{new.name}"})


@router.get(
    "/users",
    dependencies=[Security(right("users:read"))],
    summary="List the people",
    responses={200: {"model": list_of(User)}},
)
def list_users(
    services: ServicesDep,
    limit: Limit = 20,
    after: Annotated[UserName | None, Query(max_length=64)] = None,
) -> Any:
    """Return the people by name, the disabled too. `after` is a name."""
    with services.database.read() as connection:
        rows = users.list_users(connection, limit=limit + 1, after=after)
        page = _users_json(connection, services.settings, rows[:limit])
    return json_response(list_page(page, has_more=len(rows) > limit))


@router.get(
    "/users/me",
    dependencies=[Security(right("account:read"))],
    summary="Get the caller",
    responses={200: {"model": User}},
)
@router.get(
    "/me",
    dependencies=[Security(right("account:read"))],
    name="get_me_short",
    summary="Get the caller",
    responses={200: {"model": User}},
)
def get_me(services: ServicesDep, principal: PrincipalDep) -> Any:
    """Return the person whose key the request has."""
    return json_response(_read(services, principal.name))


@router.get(
    "/users/{name}",
    dependencies=[Security(right("account:read"))],
    summary="Get a person",
    responses={200: {"model": User}},
)
def get_user(services: ServicesDep, principal: PrincipalDep, name: UserName) -> Any:
    """Return a person: the caller, or for admins anybody."""
    if name != principal.name:
        principal.require("users:read")
    return json_response(_read(services, name))


@router.patch(
    "/users/{name}",
    dependencies=[Security(right("users:write"))],
    summary="Change a person",
    openapi_extra=body_of(UserPatch),
    responses={200: {"model": User}},
)
async def update_user(
    name: UserName, request: Request, services: ServicesDep, principal: PrincipalDep
) -> Any:
    """Change role, weight or limits with a JSON merge patch (RFC 7396).

    A limit below what is used ends nothing: it refuses what would be added. `disabled_at: null`
    enables a disabled person again, who then needs new keys.
    """
    patch = read_body(await json_body(request, *PATCH_TYPES), UserPatch)
    return json_response(await run_in_threadpool(_update, services, principal, name, patch))


@router.delete(
    "/users/{name}",
    dependencies=[Security(right("users:write"))],
    summary="Disable a person",
    responses={200: {"model": User}},
)
async def disable_user(name: UserName, services: ServicesDep, principal: PrincipalDep) -> Response:
    """Disable a person: their keys end at once, their jobs and data stay.

    Running jobs end as they would have. The user of TRAINSHED_ADMIN_KEY is a 409.
    """
    return json_response(await run_in_threadpool(_disable, services, principal, name))


def _create(services: Services, principal: Principal, new: NewUser) -> dict[str, Any]:
    limits = new.limits.model_dump(exclude_none=True)
    changes = {"role": new.role, "weight": new.weight, "limits": limits}
    with services.change(principal, "user.create", new.name, **changes) as connection:
        users.add_user(connection, new.name, new.role, weight=new.weight, limits=limits)
    return _read(services, new.name)


def _update(
    services: Services, principal: Principal, name: str, patch: UserPatch
) -> dict[str, Any]:
    given = patch.model_dump(exclude_unset=True)
    with services.change(principal, "user.update", name[:64], **given) as connection:
        row = users.get_user(connection, name, lock=True)
        values = {part: given[part] for part in ("role", "weight") if given.get(part) is not None}
        if "limits" in given:
            merged = {**row.limits, **(given["limits"] or dict.fromkeys(LIMITS))}
            values["limits"] = {part: limit for part, limit in merged.items() if limit is not None}
        if "disabled_at" in given:
            values["disabled_at"] = None
        if values:
            users.update_user(connection, name, values)
    return _read(services, name)


def _disable(services: Services, principal: Principal, name: str) -> dict[str, Any]:
    with services.change(principal, "user.disable", name[:64]) as connection:
        users.get_user(connection, name, lock=True)
        users.disable_user(connection, name)
    return _read(services, name)


def _read(services: Services, name: str) -> dict[str, Any]:
    with services.database.read() as connection:
        row = users.get_user(connection, name)
        return _users_json(connection, services.settings, [row])[0]


def _users_json(
    connection: sa.Connection, settings: Settings, rows: list[UserRow]
) -> list[dict[str, Any]]:
    """Return people with what they use now."""
    defaults = default_limits(settings)
    used = use_json(connection, [row.name for row in rows])
    return [
        {
            "object": "user",
            "name": row.name,
            "role": row.role,
            "weight": row.weight,
            "limits": {part: limit_of(defaults, row.limits, part) for part in LIMITS},
            "usage": used[row.name],
            "created_at": rfc3339(row.created_at),
            "disabled_at": rfc3339(row.disabled_at),
        }
        for row in rows
    ]
