"""A page: its route, its template, its headers, and errors as pages."""

import re
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Depends, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.dashboard import assets, formats
from api.dashboard.api_client import ApiClient, ApiError
from api.dashboard.notes import markdown
from api.dashboard.saved_form import SavedForm, save_form
from api.deps import principal, without_key
from api.errors import STATUS
from api.http.pydantic_rules import parameter_fault
from shared.errors import ServiceError, Unauthorized

log = structlog.get_logger()

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "Vary": "Accept",
}
UNEXPECTED = "Internal server error; the service's log has the details."
PATH_OF_JOB = re.compile("/jobs/job_[a-z0-9]+")
SESSION_ENDED = "Your session has ended. The form that you sent is kept: log in to send it again."
Handler = Callable[[Request], Coroutine[Any, Any, Response]]

templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=formats.visible,
)
templates.filters |= {**formats.FILTERS, "markdown": markdown}
templates.globals["asset"] = assets.address


class LoginNeeded(Exception):
    """The request for a page has no session."""


async def open_api(request: Request) -> ApiClient:
    """Return the API for the person whose session the request has.

    Raises:
        LoginNeeded: there is no session, or it has ended.
    """
    try:
        person = await principal(request)
    except Unauthorized as error:
        raise LoginNeeded from error
    request.state.account, request.state.is_admin = person.name, person.is_admin
    return ApiClient(request)


#: The API, with the rights of the session.
ApiDep = Annotated[ApiClient, Depends(open_api)]


def render(request: Request, name: str, *, status_code: int = 200, **values: Any) -> HTMLResponse:
    """Return a page from its template."""
    text = templates.get_template(name).render(
        path=request.url.path,
        query=request.url.query,
        account=getattr(request.state, "account", None),
        is_admin=getattr(request.state, "is_admin", False),
        **values,
    )
    return HTMLResponse(text, status_code=status_code, headers=HEADERS)


def redirect(address: str) -> RedirectResponse:
    """Return a redirect to a page that is loaded with GET."""
    return RedirectResponse(address, status_code=303, headers=HEADERS)


class PageRoute(APIRoute):
    """A route whose errors are pages, and that leads to the login without a session."""

    def get_route_handler(self) -> Handler:
        """Return the handler of the route."""
        handle = super().get_route_handler()

        async def handle_page(request: Request) -> Response:
            try:
                return await handle(request)
            except LoginNeeded:
                return await _lead_to_login(request)
            except ApiError as error:
                return error_page(request, error.problem)
            except ServiceError as error:
                return error_page(
                    request, {"status": STATUS[type(error)], "detail": error.detail, **error.data}
                )
            except RequestValidationError as error:
                if "text/html" not in request.headers.get("accept", ""):
                    raise
                wrong = ". ".join(
                    f"{each['loc'][-1]}: {parameter_fault(each)}" for each in error.errors()
                )
                return error_page(request, {"status": 422, "detail": wrong})
            except Exception as error:
                log.exception("unexpected error", path=request.url.path, exc_info=error)
                return error_page(request, {"status": 500, "detail": UNEXPECTED})

        return handle_page


def page_router() -> APIRouter:
    """Return a router of pages, whose calls of the API check the rights."""
    return APIRouter(
        route_class=PageRoute, dependencies=[Security(without_key)], include_in_schema=False
    )


def error_page(request: Request, problem: dict[str, Any]) -> HTMLResponse:
    """Return a problem as a page."""
    status = problem["status"]
    values = {"title": HTTPStatus(status).phrase, "errors": [], **problem}
    found = PATH_OF_JOB.match(request.url.path)
    values["job_page"] = found[0] if found and status != HTTPStatus.NOT_FOUND else None
    return render(request, "error.html", status_code=status, **values)


async def _lead_to_login(request: Request) -> Response:
    """Lead to the login and back; a form that was sent is kept through the login."""
    saved = await save_form(request)
    if saved is not None:
        return login_page(request, destination="/", fault=SESSION_ENDED, saved=saved, status=401)
    query = f"?{request.url.query}" if request.url.query else ""
    is_page = request.method == "GET" or request.url.path.endswith("/predict")
    address = f"{request.url.path}{query}" if is_page else "/"
    return redirect(f"/login?next={quote(address, safe='')}")


def login_page(
    request: Request,
    *,
    destination: str,
    code: str = "",
    fault: str | None = None,
    saved: SavedForm | None = None,
    is_reloaded: bool = False,
    status: int = 200,
) -> HTMLResponse:
    """Return the form to log in.

    Args:
        request: for the page.
        destination: where the login leads to.
        code: of a link that logs in.
        fault: why the person is not logged in.
        saved: a form that is sent after the login.
        is_reloaded: whether the page loads itself again, with the cookie of a session.
        status: of the response.
    """
    return render(
        request,
        "login.html",
        status_code=status,
        destination=destination,
        code=code,
        fault=fault,
        saved=saved,
        is_reloaded=is_reloaded,
    )
