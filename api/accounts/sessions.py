"""`/v1/sessions`: the browsers in which a person has logged in."""

from typing import Any

from fastapi import APIRouter, Security

from api.accounts.schemas import Session, SessionId
from api.deps import PrincipalDep, ServicesDep, right
from api.http.requests import Limit, check_cursor
from api.http.responses import json_response, list_page
from api.http.schemas import list_of
from shared.accounts import sessions
from shared.accounts.sessions import PREFIX, SessionRow
from shared.clock import rfc3339

router = APIRouter(tags=["accounts"])


@router.get(
    "/sessions",
    dependencies=[Security(right("keys:read"))],
    summary="List the sessions",
    responses={200: {"model": list_of(Session)}},
)
def list_sessions(
    services: ServicesDep,
    principal: PrincipalDep,
    limit: Limit = 20,
    after: SessionId | None = None,
) -> Any:
    """Return the browsers in which the caller is logged in, newest first. `after` is an id."""
    check_cursor(after, PREFIX)
    with services.database.read() as connection:
        rows = sessions.list_sessions(connection, principal.name, limit=limit + 1, after=after)
    page = [_session_json(row, principal.session_id) for row in rows[:limit]]
    return json_response(list_page(page, has_more=len(rows) > limit))


@router.delete(
    "/sessions/{session_id}",
    dependencies=[Security(right("keys:write"))],
    summary="End a session",
    responses={200: {"model": Session}},
)
def end_session(session_id: SessionId, services: ServicesDep, principal: PrincipalDep) -> Any:
    """Log out a browser of the caller, within a second."""
    with services.change(principal, "session.end", session_id) as connection:
        row = sessions.end_session_of(connection, principal.name, session_id)
    return json_response(_session_json(row, principal.session_id))


def _session_json(row: SessionRow, current: str) -> dict[str, Any]:
    return {
        "id": row.id,
        "object": "session",
        "key": row.key_id,
        "created_at": rfc3339(row.created_at),
        "last_used_at": rfc3339(row.last_used_at),
        "ends_at": rfc3339(row.ends_at),
        "is_current": row.id == current,
    }
