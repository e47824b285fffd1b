"""The methods of an address: OPTIONS lists them, and HEAD is there wherever GET is."""

from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.problem import problem

#: In the order in which they are listed.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
#: The address of `OPTIONS *`, for the methods of the whole service.
EVERYWHERE = "*"


def allowed_methods(routes: Sequence[BaseRoute], scope: Scope) -> list[str]:
    """Return the methods of all routes at the address of a request; empty if there are none.

    Starlette names only the methods of the first route.
    """
    if scope["path"] == EVERYWHERE:
        return [*METHODS, "OPTIONS"]
    found = {method for method in METHODS if _is_route(routes, scope, method)}
    if "GET" in found:
        found.add("HEAD")
    if found:
        found.add("OPTIONS")
    return [method for method in (*METHODS, "OPTIONS") if method in found]


def _is_route(routes: Sequence[BaseRoute], scope: Scope, method: str) -> bool:
    request = {**scope, "method": method}
    return any(route.matches(request)[0] is Match.FULL for route in routes)


def not_allowed(scope: Scope, allowed: list[str]) -> Response:
    """Return the refusal of a method."""
    names = ", ".join(allowed)
    detail = f"{scope['method']} is not allowed here; allowed: {names}."
    return problem(405, detail, instance=scope["path"], headers={"Allow": names})


class Methods:
    """ASGI middleware that answers OPTIONS, and HEAD as GET without the body."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        routes: Sequence[BaseRoute],
        fixed: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Wrap an application.

        Args:
            app: The application.
            routes: Its routes.
            fixed: The only method of an address that another route with a parameter matches too.
        """
        self.app = app
        self.routes = routes
        self.fixed = {path: method for method, path in fixed}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        method, only = scope["method"], self.fixed.get(scope["path"])
        if method == "OPTIONS":
            allowed = _with_others(only) if only else allowed_methods(self.routes, scope)
            if allowed:
                headers = {"Allow": ", ".join(allowed)}
                await Response(status_code=204, headers=headers)(scope, receive, send)
                return
        if only is not None and method not in _with_others(only):
            await not_allowed(scope, _with_others(only))(scope, receive, send)
        elif method == "HEAD" and not _is_route(self.routes, scope, "HEAD"):
            # uvicorn, which has the request as it came, sends no body.
            await self.app({**scope, "method": "GET"}, receive, _only_head(send))
        else:
            await self.app(scope, receive, send)


def _with_others(only: str) -> list[str]:
    return ["GET", "HEAD", "OPTIONS"] if only == "GET" else [only, "OPTIONS"]


def _only_head(send: Send) -> Send:
    """Return a function that ends the response after its headers, also if it is a stream."""
    is_complete = False

    async def send_head(message: Message) -> None:
        nonlocal is_complete
        if is_complete:
            return
        is_complete = message["type"] == "http.response.body"
        last: dict[str, Any] = {"body": b"", "more_body": False} if is_complete else {}
        await send({**message, **last})

    return send_head
