"""The page of the audit: who changed what. Members find their own changes there."""

from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import Query, Request, Response

from api.dashboard.page import ApiDep, page_router, render

router = page_router()

PAGE = 50
#: Pages of the objects with these prefixes.
PAGES = {"job": "/jobs", "ana": "/analyses"}


@router.get("/audit")
async def get_audit_page(
    request: Request,
    api: ApiDep,
    after: Annotated[str | None, Query(max_length=40)] = None,
    user: Annotated[str | None, Query(max_length=64)] = None,
    action: Annotated[str | None, Query(max_length=64)] = None,
    object: Annotated[str | None, Query(max_length=100)] = None,  # noqa: A002
) -> Response:
    """Return the changes, newest first; the filters are part of the address."""
    filters = {"user": user, "action": action, "object": object}
    given = {name: value.strip() for name, value in filters.items() if value and value.strip()}
    listed = await api.get("/v1/audit", limit=PAGE, after=after or None, **given)
    entries = listed["data"]
    older = None
    if listed["has_more"]:
        older = "/audit?" + urlencode({**given, "after": entries[-1]["id"]})
    return render(
        request,
        "accounts/audit.html",
        entries=[{**each, "page": _page_of(each)} for each in entries],
        filters=filters,
        is_filtered=bool(given),
        is_first=after is None,
        older=older,
    )


def _page_of(entry: dict[str, Any]) -> str | None:
    """Return the page of what was changed, if it has any."""
    name = entry["object"]
    if entry["action"].startswith("user."):
        return f"/users/{quote(name, safe='')}"
    folder = PAGES.get(name.partition("_")[0])
    return f"{folder}/{quote(name, safe='')}" if folder else None
