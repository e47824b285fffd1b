"""ASGI middleware: polls for jobs that have not changed, answered without a query and a thread.

It gives what the routes gave to the same request, and checks the key and the right as they do.
Whatever it does not know goes to the routes.
"""

import re
from collections.abc import Hashable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.requests import IS_COUNTED
from api.http.responses import matches_etag
from api.http.timed_protocol import HAS_KEY
from api.services.container import Services
from api.services.principal import Principal
from api.services.response_cache import CachedResponse
from shared.errors import Forbidden, LimitReached

LIST = "/v1/jobs"
JOB = re.compile(r"/v1/jobs/(job_[0-9a-z]{26})")
#: Parameters of the list's first page.
FIRST_PAGE = re.compile(rb"(limit=\d{1,3})?")
#: Requests with a body go to the routes.
WITH_BODY = {b"content-length", b"transfer-encoding"}


def name_of_list(query: bytes, principal: Principal) -> Hashable | None:
    """Return under which name the first page is remembered; None for other pages."""
    if not FIRST_PAGE.fullmatch(query):
        return None
    return (LIST, query, principal.only_owner)


class Polls:
    """Answers polls from memory."""

    def __init__(self, app: ASGIApp, *, services: Services) -> None:
        self.app = app
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on."""
        is_poll = scope["type"] == "http" and scope["method"] == "GET"
        if is_poll and scope["path"].startswith(LIST) and await self._answer(scope, send):
            return
        await self.app(scope, receive, send)

    async def _answer(self, scope: Scope, send: Send) -> bool:
        """Answer the request if it can be; return whether it was."""
        headers = dict(scope["headers"])
        if WITH_BODY & headers.keys():
            return False
        principal = self._principal(headers)
        found = None if principal is None else self._find(scope, principal)
        if principal is None or found is None:
            return False
        status, body = 200, found.body
        if found.etag is not None:
            sent = headers.get(b"if-none-match")
            if sent is not None and matches_etag(sent.decode("latin-1"), found.etag):
                status, body = 304, b""
        state = scope.setdefault("state", {})
        if body is None or not await self._may_request(principal, state):
            return False
        state[HAS_KEY] = True
        sent_headers = found.headers if status == 200 else _only_etag(found)
        start = {"type": "http.response.start", "status": status, "headers": sent_headers}
        await send(start)
        await send({"type": "http.response.body", "body": body})
        return True

    async def _may_request(self, principal: Principal, state: dict[str, Any]) -> bool:
        """Count the request; return False if it is one too many, which the route explains."""
        if not state.get(IS_COUNTED, False):
            try:
                await self.services.request_rates.count(principal.name)
            except LimitReached:
                return False
        return True

    def _principal(self, headers: dict[bytes, bytes]) -> Principal | None:
        """Return who makes the request, if that is remembered and they may read jobs."""
        scheme, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        principal = self.services.authenticator.find_remembered(key) if key else None
        if principal is None or scheme.lower() != "bearer":
            return None
        try:
            principal.require("jobs:read")
        except Forbidden:
            return None
        return principal

    def _find(self, scope: Scope, principal: Principal) -> CachedResponse | None:
        path, query = scope["path"], scope["query_string"]
        if path == LIST:
            name = name_of_list(query, principal)
            return None if name is None else self.services.responses.find(name)
        match = JOB.fullmatch(path)
        if match is None or query:
            return None
        found = self.services.responses.find(match[1])
        if found is None or found.owner is None or not principal.may_read(found.owner):
            return None
        return found


def _only_etag(found: CachedResponse) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in found.headers if name == b"etag"]
