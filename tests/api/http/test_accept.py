"""The media type of a response follows the qualities of `Accept`."""

import pytest
from starlette.requests import Request

from api.http.accept import prefers


@pytest.mark.parametrize(
    ("header", "is_preferred"),
    [
        ("text/event-stream", True),
        ("Text/Event-Stream; q=0.5, */*;q=0.1", True),
        ("application/json, text/event-stream", True),
        ("text/event-stream;q=0", False),
        ("application/json, text/event-stream;q=0.5", False),
        ("text/event-stream;q=x", True),
        ("text/event-streams", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_media_type_is_preferred_by_its_quality(header: str, is_preferred: bool) -> None:
    request = Request({"type": "http", "headers": [(b"accept", header.encode())]})
    assert prefers(request, "text/event-stream") is is_preferred
