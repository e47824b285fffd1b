"""JSON answers, serialised once and straight from rows."""

import re
from collections.abc import Iterable
from typing import Any

import orjson
from fastapi import Response

TAG = re.compile(r'(?:W/)?("[^"]*")')


def json_answer(
    value: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """The value as JSON."""
    return Response(
        orjson.dumps(value), status_code=status, media_type="application/json", headers=headers
    )


def list_of(data: Iterable[Any], *, has_more: bool) -> dict[str, Any]:
    """A page of a list, as every list looks."""
    return {"object": "list", "data": list(data), "has_more": has_more}


def is_known(header: str | None, etag: str) -> bool:
    """Whether the header names this ETag; `*` names whatever there is.

    Args:
        header: the value of `If-None-Match`, a list of ETags, weak ones among them or not.
        etag: of what would be sent, with its quotation marks.
    """
    if header is None:
        return False
    return header.strip() == "*" or etag in TAG.findall(header)
