"""The check that a change comes from a page of this service, and not from a foreign page."""

from urllib.parse import urlsplit

from fastapi import Request

from shared.errors import Forbidden

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def check_origin(request: Request) -> None:
    """Check a request that a browser may have made with a cookie, if it changes something.

    Browsers send `Origin` with every POST. Other ports of a host receive the same cookies, so the
    port counts too.

    Raises:
        Forbidden: `Origin` is missing, or is not the address of this service.
    """
    if request.method in SAFE_METHODS:
        return
    origins = request.headers.getlist("origin")
    if not origins:
        raise Forbidden(
            "The request has no Origin header, which browsers send with every change. "
            "Programs authenticate with `Authorization: Bearer KEY` instead of a cookie."
        )
    site = request.headers.get("sec-fetch-site", "same-origin")
    if len(origins) > 1 or not _is_own(origins[0], request) or site != "same-origin":
        raise Forbidden("The request comes from a page of another address, so it is refused.")


def _is_own(origin: str, request: Request) -> bool:
    try:
        given, own = urlsplit(origin), request.url
        return (given.scheme, given.hostname, _port(given.scheme, given.port)) == (
            own.scheme,
            own.hostname,
            _port(own.scheme, own.port),
        )
    except ValueError:  # not an address
        return False


def _port(scheme: str, port: int | None) -> int | None:
    return port or {"http": 80, "https": 443}.get(scheme)
