"""What is read of a request."""

import re
from typing import Annotated

from fastapi import Header, Request

from shared.errors import BadRequest, UnsupportedMediaType
from shared.fields import PLAIN_TEXT
from shared.ids import LENGTH, is_id

KEY = re.compile(r"[\x21-\x7e]{1,255}")
#: What a filter asks for: any text that a specification may have.
Text = Annotated[str, PLAIN_TEXT]
IdempotencyKey = Annotated[
    str | None,
    Header(description="1 to 255 visible ASCII characters; the same request with it is made once"),
]


def check_key(key: str | None) -> None:
    """Admit an Idempotency-Key, or none.

    Raises:
        BadRequest: it has other characters, or too many.
    """
    if key is not None and not KEY.fullmatch(key):
        raise BadRequest("An Idempotency-Key has 1 to 255 visible ASCII characters.")


async def json_body(request: Request) -> bytes:
    """The bytes of a body that says of itself that it is JSON.

    Raises:
        UnsupportedMediaType: it says something else.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType
    return await request.body()


def check_cursor(after: str | None, prefix: str) -> None:
    """Admit an id, also one of something that is gone by now: what comes after it is known.

    Raises:
        BadRequest: it has not the form of an id with this prefix.
    """
    if after is not None and not is_id(prefix, after):
        raise BadRequest(
            f"`after` is {after!r}, which is no place in this list; it takes the `id` of the last "
            f"one of the page before: {prefix}_ and {LENGTH} characters."
        )
