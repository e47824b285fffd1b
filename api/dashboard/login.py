"""Logging in with a key or a one-time link, and logging out."""

from typing import Annotated

from fastapi import Form, Query, Request, Response

from api.dashboard.page import page_router, redirect, render
from api.deps import ServicesDep, key_owner
from api.http.origin import check_origin
from api.services.container import Services
from api.services.principal import Principal
from api.services.sessions import LIFE_SECONDS, SESSION_COOKIE

router = page_router()

WRONG_KEY = "This is not a valid key. Copy the whole key, without spaces or line breaks."
WRONG_CODE = (
    "This login link was used before, or is older than 10 minutes. `trainshed open` prints a new "
    "link; or paste a key."
)


@router.get("/login")
async def get_login(
    request: Request,
    services: ServicesDep,
    destination: Annotated[str, Query(alias="next", max_length=8000)] = "/",
    code: Annotated[str, Query(max_length=500)] = "",
    *,
    again: bool = False,
) -> Response:
    """Return the form; a person who has a session is led back at once."""
    token = request.cookies.get(SESSION_COOKIE)
    if token is not None and not code and services.sessions.find(token) is not None:
        return redirect(_local(destination))
    return _form(request, destination=destination, code=code, is_repeated=again)


@router.post("/login")
async def log_in(
    request: Request,
    services: ServicesDep,
    key: Annotated[str, Form(max_length=500)] = "",
    code: Annotated[str, Form(max_length=500)] = "",
    destination: Annotated[str, Form(alias="next", max_length=8000)] = "/",
) -> Response:
    """Begin a session and lead back to the page that was requested."""
    check_origin(request)
    person = services.sessions.redeem(code) if code else _owner_of(services, key.strip())
    if person is None:
        fault = WRONG_CODE if code else WRONG_KEY
        return _form(request, destination=destination, fault=fault, status=401)
    response = redirect(_local(destination))
    response.set_cookie(
        SESSION_COOKIE,
        services.sessions.begin(person),
        max_age=LIFE_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@router.post("/logout")
async def log_out(request: Request, services: ServicesDep) -> Response:
    """End the session."""
    check_origin(request)
    token = request.cookies.get(SESSION_COOKIE)
    if token is not None:
        services.sessions.end(token)
    response = redirect("/login")
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
    return response


def _owner_of(services: Services, key: str) -> Principal | None:
    """Return the person whose key it is; None for an unknown key."""
    # A form is sent as UTF-8, and a header is decoded as Latin-1.
    return key_owner(services, key.encode().decode("latin-1"))


def _form(
    request: Request,
    *,
    destination: str,
    code: str = "",
    fault: str | None = None,
    is_repeated: bool = True,
    status: int = 200,
) -> Response:
    # A browser that follows a link from elsewhere leaves out the cookie. A reload by this page
    # sends it, so a person who has a session does not have to log in.
    site = request.headers.get("sec-fetch-site", "cross-site")
    is_foreign_link = request.method == "GET" and not is_repeated and site == "cross-site"
    return render(
        request,
        "login.html",
        status_code=status,
        destination=_local(destination),
        code=code,
        fault=fault,
        is_reloaded=is_foreign_link and not code,
    )


def _local(address: str) -> str:
    """Return an address of this service; the home page in place of any other."""
    is_local = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if is_local and address.isprintable() else "/"
