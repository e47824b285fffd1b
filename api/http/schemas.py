"""Types and response declarations that the OpenAPI document uses for several routes."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar, Union

from pydantic import BaseModel, Field, create_model

Item = TypeVar("Item")
#: The `responses` argument of a route.
Responses = dict[int | str, dict[str, Any]]

#: JSON has no number for a value that is not finite.
JsonNumber = float | Literal["nan", "inf", "-inf"]
#: RFC 3339, in UTC.
Timestamp = datetime
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class _ListOf(BaseModel, Generic[Item]):
    """A page of a list."""

    object: Literal["list"]
    data: list[Item]
    has_more: bool


def list_of(item: type[BaseModel], *others: type[BaseModel]) -> type[BaseModel]:
    """Return the model of a page of items; its name in the document is `ListOf` and the item's.

    Args:
        item: the model of an item.
        *others: further models that an item may have.
    """
    page: type[BaseModel] = _ListOf[Union[item, *others]]
    return create_model(f"ListOf{item.__name__}", __doc__=_ListOf.__doc__, __base__=page)


class Deleted(BaseModel):
    """The object that was deleted, and the bytes freed."""

    id: str
    object: str
    freed_bytes: Count


def content(media_type: str, *, is_binary: bool = True) -> dict[str, Any]:
    """Declare a response that is not JSON."""
    form = {"format": "binary"} if is_binary else {}
    return {"content": {media_type: {"schema": {"type": "string", **form}}}}


def _headers(**descriptions: str) -> dict[str, Any]:
    """Declare the headers of a response."""
    return {
        "headers": {
            name: {"description": description, "schema": {"type": "string"}}
            for name, description in descriptions.items()
        }
    }


ETAG = _headers(ETag="The current version, for `If-None-Match`")
LOCATION = _headers(Location="The address of the new object")
NOT_MODIFIED: Responses = {304: {"description": "`If-None-Match` names the current version"}}
#: A download, whole or in ranges.
FILE: Responses = {
    200: {"description": "The file", **content("application/octet-stream"), **ETAG},
    206: {"description": "The requested ranges", **content("application/octet-stream")},
    **NOT_MODIFIED,
}
