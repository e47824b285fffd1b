"""What is read of a request."""

from fastapi import Request

from shared.errors import UnsupportedMediaType


async def json_body(request: Request) -> bytes:
    """The bytes of a body that says of itself that it is JSON.

    Raises:
        UnsupportedMediaType: it says something else.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType
    return await request.body()
