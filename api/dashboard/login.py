"""Logging in with a key or a one-time link, and logging out."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Form, Query, Request, Response

from api.dashboard.page import login_page, page_router, redirect, render
from api.dashboard.saved_form import carried_form
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

NO_COOKIE = (
    "The key is right, but your browser did not keep the session. Allow cookies for this address, "
    "then log in again."
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
    # A browser that follows a link from elsewhere leaves out the cookie. A reload by this page
    # sends it, so a person who has a session does not have to log in.
    site = request.headers.get("sec-fetch-site", "cross-site")
    return login_page(
        request,
        destination=_local(destination),
        code=code,
        fault=None if token or again or not _is_from_login(request) else NO_COOKIE,
        is_reloaded=site == "cross-site" and not again and not code,
    )


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
    saved = carried_form((await request.form()).multi_items())
    destination = _local(destination)
    try:
        token = await _begin(services, key.strip(), code)
    except Unauthorized:
        fault = WRONG_CODE if code else WRONG_KEY
        return login_page(request, destination=destination, fault=fault, saved=saved, status=401)
    response = redirect(destination)
    if saved is not None:
        response = render(request, "saved_form.html", saved=saved)
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
        await services.authenticator.log_out(token)
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


def _is_from_login(request: Request) -> bool:
    """Return whether the person sent the login a moment ago and was led back to it."""
    referer = urlsplit(request.headers.get("referer", ""))
    return (referer.netloc, referer.path) == (request.url.netloc, "/login")


def _local(address: str) -> str:
    """Return an address of this service; the home page in place of any other."""
    is_local = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if is_local and address.isprintable() else "/"
