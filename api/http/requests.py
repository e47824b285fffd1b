"""Checks of headers, cursors and bodies that several routes share."""

import re
from typing import Annotated, Any

from fastapi import Header, Query, Request
from pydantic import AfterValidator, Field

from shared.errors import BadRequest, UnsupportedMediaType
from shared.ids import ALPHABET, LENGTH, is_id
from shared.spec.fields import REFUSED_CHARACTERS, TEXT_PATTERN

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_REFUSED_CHARACTER = re.compile(f"[{REFUSED_CHARACTERS}]")


def _check_text(value: str) -> str:
    """Refuse characters that the document excludes too."""
    refused = _REFUSED_CHARACTER.search(value)
    if refused is not None:
        raise ValueError(
            f"it contains U+{ord(refused[0]):04X}, but control, invisible and bidirectional "
            "characters are not allowed"
        )
    return value


def _matching(pattern: str) -> Any:
    """Declare a pattern that the service checks elsewhere, with an error in words."""
    return Field(json_schema_extra={"pattern": pattern})


def id_pattern(prefix: str) -> str:
    """Return the pattern of an id with this prefix."""
    return f"^{prefix}_[{ALPHABET}]{{{LENGTH}}}$"


#: The length of a page.
#: In the state of a request that does not count for the limit of requests.
IS_COUNTED = "is_counted"
Limit = Annotated[int, Query(ge=1, le=100)]
#: The value of a filter, or a name.
Text = Annotated[str, AfterValidator(_check_text), _matching(TEXT_PATTERN)]
#: Ids, in paths and as cursors.
JobIdText = Annotated[str, _matching(id_pattern("job"))]
QueueCursor = Annotated[str, _matching(id_pattern("queue"))]
CheckpointId = Annotated[str, _matching(id_pattern("ckpt"))]
AnalysisIdText = Annotated[str, _matching(id_pattern("ana"))]
DatasetId = Annotated[str, _matching(id_pattern("ds"))]
WeightsId = Annotated[str, _matching(id_pattern("weights"))]
LastEventId = Annotated[str, _matching("^[0-9]{1,9}$")]
IdempotencyKey = Annotated[
    Annotated[str, _matching("^[\\x21-\\x7e]{1,255}$")] | None,
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


async def json_body(request: Request, *allowed: str) -> bytes:
    """Return the bytes of a body that is declared as JSON.

    Args:
        request: The request.
        *allowed: The media types; by default application/json.

    Raises:
        UnsupportedMediaType: It is declared as something else.
    """
    if media_type(request) not in (allowed or ("application/json",)):
        raise UnsupportedMediaType(f"The body must be {' or '.join(allowed)}." if allowed else None)
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
