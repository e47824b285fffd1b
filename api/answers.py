"""JSON answers, serialised once and straight from rows."""

from collections.abc import Iterable
from typing import Any

import orjson
from fastapi import Response


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
