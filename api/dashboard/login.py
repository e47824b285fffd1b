"""Logging in with a key or a one-time link, and logging out."""

from typing import Annotated

from fastapi import Form, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.dashboard.page import page_router, redirect, render
from api.deps import ServicesDep
from api.http.origin import check_origin
from api.services.authentication import SESSION_COOKIE
from api.services.container import Services
from shared.accounts.sessions import LIFETIME
from shared.errors import Unauthorized

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
    if token is not None and not code and await _is_valid(services, token):
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
    try:
        token = await _begin(services, key.strip(), code)
    except Unauthorized:
        fault = WRONG_CODE if code else WRONG_KEY
        return _form(request, destination=destination, fault=fault, status=401)
    response = redirect(_local(destination))
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=int(LIFETIME.total_seconds()),
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
        await run_in_threadpool(services.authenticator.log_out, token)
    response = redirect("/login")
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
    return response


async def _begin(services: Services, key: str, code: str) -> str:
    """Begin a session with a login code, or else with a key; return its cookie.

    Raises:
        Unauthorized: the code or the key is not valid.
    """
    if not code:
        # A form is sent as UTF-8, and a header is decoded as Latin-1.
        return await services.authenticator.log_in(key.encode().decode("latin-1"))
    person = services.login_codes.redeem(code)
    if person is None:
        raise Unauthorized
    return await services.authenticator.open_session(person)


async def _is_valid(services: Services, token: str) -> bool:
    try:
        await services.authenticator.of_session(token)
    except Unauthorized:
        return False
    return True


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
