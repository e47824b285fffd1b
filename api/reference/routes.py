"""The documentation at `/docs`, and the OpenAPI document."""

import hashlib
from base64 import b64encode
from typing import Any

from fastapi import APIRouter, Request, Security
from fastapi.responses import HTMLResponse

from api.deps import without_key
from api.http.responses import json_response
from api.reference.page import STYLE, page

router = APIRouter()

_STYLE_DIGEST = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
#: The pages have no scripts, and load nothing but their own style.
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


@router.get("/openapi.json", dependencies=[Security(without_key)], include_in_schema=False)
async def get_openapi(request: Request) -> Any:
    """Return the OpenAPI document."""
    return json_response(request.app.openapi())


@router.get("/docs", dependencies=[Security(without_key)], include_in_schema=False)
async def get_docs(request: Request) -> HTMLResponse:
    """Return the OpenAPI document as a page."""
    return HTMLResponse(page(request.app.openapi(), _address(request)), headers=HEADERS)


def _address(request: Request) -> str:
    return str(request.base_url).rstrip("/")
