"""JSON responses, and the comparison of ETags."""

import hashlib
import re
from collections.abc import Iterable
from typing import Any

import orjson
from fastapi import Response

_ETAG = re.compile(r'(?:W/)?("[^"]*")')


def json_response(
    value: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Return the value as JSON, serialized once, without a pydantic model in between."""
    return Response(
        orjson.dumps(value), status_code=status, media_type="application/json", headers=headers
    )


def versioned_response(value: Any, if_none_match: str | None) -> Response:
    """Return the value as JSON with an ETag of its content; 304 if the client has it.

    Args:
        value: To send.
        if_none_match: The request's `If-None-Match`.
    """
    body = orjson.dumps(value)
    headers = {"ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"'}
    if matches_etag(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def list_page(data: Iterable[Any], *, has_more: bool) -> dict[str, Any]:
    """Return a page of a list in the form that all lists have."""
    return {"object": "list", "data": list(data), "has_more": has_more}


def matches_etag(header: str | None, etag: str) -> bool:
    """Return whether the header names this ETag; `*` names any.

    Args:
        header: The value of `If-None-Match`: a list of strong or weak ETags.
        etag: The ETag of the response, with its quotation marks.
    """
    if header is None:
        return False
    return header.strip() == "*" or etag in _ETAG.findall(header)
