"""`GET /docs`: the OpenAPI document as a page."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.reference.page import page

router = APIRouter()


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """Return the page; it has no scripts."""
    return HTMLResponse(page(request.app.openapi()))
