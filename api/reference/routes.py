"""The OpenAPI document, and `GET /docs`: the same as a page."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.http.responses import json_response
from api.reference.page import page

router = APIRouter()


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Any:
    """Return the OpenAPI document."""
    return json_response(request.app.openapi())


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """Return the page; it has no scripts."""
    return HTMLResponse(page(request.app.openapi()))
