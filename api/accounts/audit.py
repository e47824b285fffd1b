"""`/v1/audit`: who changed what."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Security

from api.accounts.schemas import AuditEntry, AuditId
from api.deps import PrincipalDep, ServicesDep, right
from api.http.requests import Limit, Text, check_cursor
from api.http.responses import json_response, list_page
from api.http.schemas import list_of
from shared.accounts import audit
from shared.accounts.audit import AuditRow
from shared.clock import rfc3339

router = APIRouter(tags=["accounts"])


@router.get(
    "/audit",
    dependencies=[Security(right("audit:read"))],
    summary="List the changes",
    responses={200: {"model": list_of(AuditEntry)}},
)
def list_audit(
    services: ServicesDep,
    principal: PrincipalDep,
    limit: Limit = 20,
    after: AuditId | None = None,
    user: Annotated[Text | None, Query(max_length=64)] = None,
    action: Annotated[Text | None, Query(max_length=64)] = None,
    object: Annotated[Text | None, Query(max_length=100)] = None,  # noqa: A002
) -> Any:
    """Return who changed what, newest first. `after` is an id, `object` the id of what changed.

    Only admins see the changes of other people.
    """
    check_cursor(after, "aud")
    only_user = None if principal.is_admin else principal.name
    with services.database.read() as connection:
        filters = {"user": user, "action": action, "object": object}
        rows = audit.list_changes(
            connection, limit=limit + 1, after=after, only_user=only_user, **filters
        )
    page = map(_entry_json, rows[:limit])
    return json_response(list_page(page, has_more=len(rows) > limit))


def _entry_json(row: AuditRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": rfc3339(row.at),
        "user": row.user,
        "key": row.key_id,
        "action": row.action,
        "object": row.object,
        "outcome": row.outcome,
        "request_id": row.request_id,
        "changes": row.changes,
    }
