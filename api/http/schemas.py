"""How answers are described in the OpenAPI document. Nothing of it runs when one is given."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field

Item = TypeVar("Item")
Responses = dict[int | str, dict[str, Any]]

#: JSON has no number for what is not finite.
Figure = float | Literal["nan", "inf", "-inf"]
#: RFC 3339, in UTC.
At = datetime
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class ListOf(BaseModel, Generic[Item]):
    """A page of a list."""

    object: Literal["list"]
    data: list[Item]
    has_more: bool


class Freed(BaseModel):
    """What is gone, and how much room that made."""

    id: str
    object: str
    freed_bytes: Count


def content(media_type: str, *, is_binary: bool = True) -> dict[str, Any]:
    """A body that is not JSON."""
    form = {"format": "binary"} if is_binary else {}
    return {"content": {media_type: {"schema": {"type": "string", **form}}}}


def _headers(**described: str) -> dict[str, Any]:
    """Headers that an answer has, and what each is."""
    return {
        "headers": {
            name: {"description": what, "schema": {"type": "string"}}
            for name, what in described.items()
        }
    }


ETAG = _headers(ETag="Names this state of it, for `If-None-Match`")
LOCATION = _headers(Location="Where the new one is")
NOT_CHANGED: Responses = {304: {"description": "It is what `If-None-Match` names"}}
#: A download, whole or in ranges.
FILE: Responses = {
    200: {"description": "The file", **content("application/octet-stream"), **ETAG},
    206: {"description": "The ranges asked for", **content("application/octet-stream")},
    **NOT_CHANGED,
}
