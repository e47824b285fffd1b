"""Error responses in the form of RFC 9457."""

import json
from http import HTTPStatus
from typing import Any

from fastapi import Response

RETRY_AFTER_SECONDS = "2"
#: The schema of an error response.
PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {"type": "string"},
                    "detail": {"type": "string"},
                    "field": {
                        "type": "string",
                        "description": "Of a patch: the pointer into the patched specification",
                    },
                },
            },
        },
    },
}


def problem(
    status: int,
    detail: str,
    *,
    instance: str,
    kind: str | None = None,
    headers: dict[str, str] | None = None,
    **extra: Any,
) -> Response:
    """Return an error response.

    Args:
        status: The HTTP status.
        detail: What is wrong and what is allowed, in one or two sentences.
        instance: The path of the request.
        kind: The last part of the `type`; by default it is made from the status.
        headers: Further headers.
        **extra: Further fields of the body.
    """
    title = HTTPStatus(status).phrase
    body = {
        "type": f"urn:trainshed:problem:{kind or title.lower().replace(' ', '-')}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
        **extra,
    }
    return Response(
        # ASCII only: the text may quote anything that the client sent.
        json.dumps(body),
        status_code=status,
        media_type="application/problem+json",
        headers=headers,
    )
