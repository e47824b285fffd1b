"""Checks of headers, cursors and bodies that several routes share."""

import re
from typing import Annotated

from fastapi import Header, Query, Request

from shared.errors import BadRequest, UnsupportedMediaType
from shared.ids import LENGTH, is_id
from shared.spec.fields import PLAIN_TEXT

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
#: The length of a page.
Limit = Annotated[int, Query(ge=1, le=100)]
#: The value of a filter: any text that a specification may contain.
Text = Annotated[str, PLAIN_TEXT]
IdempotencyKey = Annotated[
    str | None,
    Header(
        description="1 to 255 visible ASCII characters. Requests with the same key have the effect "
        "of a single request"
    ),
]


def check_idempotency_key(key: str | None) -> None:
    """Check the form of an Idempotency-Key, if there is one.

    Raises:
        BadRequest: The key has other characters than visible ASCII, or too many.
    """
    if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise BadRequest("The Idempotency-Key must have 1 to 255 visible ASCII characters.")


def media_type(request: Request) -> str:
    """Return the media type of a request's body in lower case, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def json_body(request: Request) -> bytes:
    """Return the bytes of a body that is declared as JSON.

    Raises:
        UnsupportedMediaType: It is declared as something else.
    """
    if media_type(request) != "application/json":
        raise UnsupportedMediaType
    return await request.body()


def check_cursor(after: str | None, prefix: str) -> None:
    """Check the form of a cursor; the object it names may have been deleted since.

    Raises:
        BadRequest: It is not an id with this prefix.
    """
    if after is not None and not is_id(prefix, after):
        raise BadRequest(
            f"`after` is {after!r}; it must be the `id` of the last entry of the page before: "
            f"{prefix}_ and {LENGTH} characters."
        )
