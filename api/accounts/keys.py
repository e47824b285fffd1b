"""`/v1/keys`: the keys of people. A key is shown once, when it is made."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Security
from fastapi.concurrency import run_in_threadpool

from api.accounts.bodies import SUBJECT, read_body
from api.accounts.schemas import Key, KeyId, NewKey, NewKeyRequest, Rotation, UserName, body_of
from api.deps import PrincipalDep, ServicesDep, right
from api.http.requests import Limit, json_body
from api.http.responses import json_response, list_page
from api.http.schemas import list_of
from api.services.container import Services
from api.services.principal import SCOPE_OF, Principal
from shared.accounts import key_format, keys, users
from shared.accounts.key_format import KEY_ID
from shared.accounts.keys import KeyRow
from shared.accounts.roles import level_of_role, level_of_scopes
from shared.clock import rfc3339
from shared.errors import BadRequest, Conflict, Fault, Forbidden, InvalidSpec, NotFound

router = APIRouter(tags=["accounts"])

UNKNOWN = "There is no such key; GET /v1/keys lists the keys."


@router.post(
    "/keys",
    dependencies=[Security(right("keys:write"))],
    status_code=201,
    summary="Make a key",
    openapi_extra=body_of(NewKeyRequest),
    responses={201: {"model": NewKey}},
)
async def create_key(request: Request, services: ServicesDep, principal: PrincipalDep) -> Any:
    """Return a new key. It is shown this once, and only its digest is stored.

    A key allows no more than the key that makes it. Admins make keys for other people with `user`.
    """
    new = read_body(await json_body(request), NewKeyRequest)
    shown = await run_in_threadpool(_create, services, principal, new)
    return json_response(shown, status=201)


@router.get(
    "/keys",
    dependencies=[Security(right("keys:read"))],
    summary="List the keys",
    responses={200: {"model": list_of(Key)}},
)
def list_keys(
    services: ServicesDep,
    principal: PrincipalDep,
    limit: Limit = 20,
    after: KeyId | None = None,
    user: Annotated[UserName | None, Query(max_length=64)] = None,
) -> Any:
    """Return the caller's keys, of admins all keys, newest first.

    `after` is an id. Keys that have ended are listed too.
    """
    if after is not None and not KEY_ID.fullmatch(after):
        raise BadRequest(f"`after` is {after[:60]!r}; it must be the `id` of a key.")
    owner = user if principal.is_admin else principal.name
    with services.database.read() as connection:
        rows = keys.list_keys(connection, limit=limit + 1, after=after, user=owner)
    if user not in (None, owner):
        rows = []
    page = map(_key_json, rows[:limit])
    return json_response(list_page(page, has_more=len(rows) > limit))


@router.post(
    "/keys/{key_id}/rotate",
    dependencies=[Security(right("keys:write"))],
    status_code=201,
    summary="Replace a key",
    openapi_extra=body_of(Rotation, is_required=False),
    responses={201: {"model": NewKey}},
)
async def rotate_key(
    key_id: KeyId, request: Request, services: ServicesDep, principal: PrincipalDep
) -> Any:
    """Return a new key of the same person, scopes and lifetime.

    The old key stays valid for `grace_seconds`, so that programs can change to the new key.
    """
    body = await request.body()
    rotation = read_body(await json_body(request), Rotation) if body else Rotation()
    grace = timedelta(seconds=rotation.grace_seconds)
    shown = await run_in_threadpool(_rotate, services, principal, key_id, grace)
    return json_response(shown, status=201)


@router.delete(
    "/keys/{key_id}",
    dependencies=[Security(right("keys:write"))],
    summary="Revoke a key",
    responses={200: {"model": Key}},
)
async def revoke_key(key_id: KeyId, services: ServicesDep, principal: PrincipalDep) -> Any:
    """End a key and its sessions within a second; repeating the request has no further effect."""
    return json_response(await run_in_threadpool(_revoke, services, principal, key_id))


def _create(services: Services, principal: Principal, new: NewKeyRequest) -> dict[str, Any]:
    name, level = new.user or principal.name, level_of_scopes(new.scopes)
    if name != principal.name and not principal.is_admin:
        raise Forbidden("Only admins make keys for other people; leave `user` out.")
    if level > principal.level:
        raise Forbidden(
            f"The scope {SCOPE_OF[level]} exceeds what this key and role allow, which is "
            f"{SCOPE_OF[principal.level]}."
        )
    lifetime = timedelta(days=new.expires_in_days)
    with services.database.write() as connection:
        try:
            user = users.get_user(connection, name, lock=True)
        except NotFound as error:
            fault = Fault("/user", f"is {name[:64]!r}; there is no such user")
            raise InvalidSpec([fault], subject=SUBJECT) from error
        if user.disabled_at is not None:
            raise Conflict(f"{name} is disabled; enable the account first.")
        if level > level_of_role(user.role):
            text = f"exceed the role of {name}, which is {user.role}"
            raise InvalidSpec([Fault("/scopes", text)], subject=SUBJECT)
        made = keys.add_key(connection, name, new.name, new.scopes, lifetime)
        changes = {"user": name, "scopes": new.scopes, "expires_in_days": new.expires_in_days}
        services.record(connection, principal, "key.create", made.id, **changes)
        row = keys.get_key(connection, made.id)
    return {**_key_json(row), "key": made.text}


def _rotate(
    services: Services, principal: Principal, key_id: str, grace: timedelta
) -> dict[str, Any]:
    changes = {"grace_seconds": int(grace.total_seconds())}
    with services.change(principal, "key.rotate", key_id[:40], **changes) as connection:
        old = find_key(connection, principal, key_id)
        user = users.get_user(connection, old.user, lock=True)
        if user.disabled_at is not None:
            raise Conflict(f"{old.user} is disabled; enable the account first.")
        made = keys.rotate_key(connection, old, grace)
        row = keys.get_key(connection, made.id)
    return {**_key_json(row), "key": made.text}


def _revoke(services: Services, principal: Principal, key_id: str) -> dict[str, Any]:
    with services.change(principal, "key.revoke", key_id[:40]) as connection:
        find_key(connection, principal, key_id)
        keys.revoke_key(connection, key_id)
        row = keys.get_key(connection, key_id)
    return _key_json(row)


def find_key(connection: Any, principal: Principal, key_id: str) -> KeyRow:
    """Return a key that the caller may change, with locks on its person and on itself.

    Raises:
        NotFound: there is no such key that the caller may see.
        Forbidden: it allows more than the caller's key.
    """
    if not KEY_ID.fullmatch(key_id):
        raise NotFound(UNKNOWN)
    # The person first, as where an account is disabled: in another order both could wait forever.
    users.lock_user(connection, keys.get_key(connection, key_id).user)
    row = keys.get_key(connection, key_id, lock=True)
    if row.user != principal.name and not principal.is_admin:
        raise NotFound(UNKNOWN)
    level = level_of_scopes(row.scopes)
    if level > principal.level:
        raise Forbidden(
            f"The key has the scope {SCOPE_OF[level]}, more than this key and role allow."
        )
    return row


def _key_json(row: KeyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "object": "key",
        "user": row.user,
        "name": row.name,
        "prefix": key_format.prefix(row.id),
        "scopes": row.scopes,
        "created_at": rfc3339(row.created_at),
        "expires_at": rfc3339(row.expires_at),
        "last_used_at": rfc3339(row.last_used_at),
        "revoked_at": rfc3339(row.revoked_at),
    }
