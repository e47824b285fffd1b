"""A client of the API's own routes in this process, for the pages.

A page reads and changes what the API lets the person read and change: the calls have the same
credentials as the request for the page, and go through the same checks.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from fastapi import Request
from starlette.types import Message, Scope

from api.http.requests import IS_COUNTED

#: What calls take over from the request for the page.
HEADERS = {b"host", b"cookie", b"origin", b"authorization", b"sec-fetch-site"}
SCOPE = ("type", "asgi", "http_version", "server", "client", "scheme", "root_path")


class ApiError(Exception):
    """An error response of the API."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem["detail"])
        self.problem = problem
        self.status: int = problem["status"]


@dataclass(frozen=True)
class Answer:
    """A response of the API."""

    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)


class ApiClient:
    """Calls routes of the API on behalf of the person who requests a page."""

    def __init__(self, request: Request) -> None:
        self._app = request.app
        #: Whether a call was counted: a page is one request of a person.
        self._is_counted = False
        self._scope = {name: request.scope[name] for name in SCOPE if name in request.scope}
        self._headers = [pair for pair in request.scope["headers"] if pair[0] in HEADERS]

    async def get(self, path: str, **query: Any) -> Any:
        """Return the JSON of an address.

        Raises:
            ApiError: The API refuses the request.
        """
        return (await self.call("GET", path, query)).json

    async def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """Post a value as JSON and return the JSON of the response.

        Raises:
            ApiError: The API refuses the request.
        """
        content = b"" if body is None else json.dumps(body).encode()
        return (await self.call("POST", path, {}, content, headers)).json

    async def check(self, path: str, body: Any) -> Any:
        """Post a value to an address that changes nothing, also for a page loaded with GET.

        Browsers send no `Origin` with such a page, so the call has that of the service.

        Raises:
            ApiError: The API refuses the request.
        """
        host = next(value.decode() for name, value in self._headers if name == b"host")
        origin = f"{self._scope['scheme']}://{host}"
        return await self.post(path, body, origin=origin, sec_fetch_site="same-origin")

    async def patch(self, path: str, body: Any) -> Any:
        """Change an object by a merge patch and return it.

        Raises:
            ApiError: The API refuses the request.
        """
        headers = {"content-type": "application/merge-patch+json"}
        return (await self.call("PATCH", path, {}, json.dumps(body).encode(), headers)).json

    async def call(
        self,
        method: str,
        path: str,
        query: dict[str, Any],
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Return the response of a route.

        Args:
            method: of the request.
            path: of the route, not escaped.
            query: parameters; None is left out.
            body: of the request, as JSON unless `headers` say otherwise.
            headers: further headers; they replace the headers of the page.

        Raises:
            ApiError: The API refuses the request.
        """
        given = {"content-type": "application/json"} if body else {}
        given |= {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        present = {name: value for name, value in query.items() if value is not None}
        scope: Scope = {
            **self._scope,
            "method": method,
            "path": path,
            "raw_path": quote(path).encode(),
            "query_string": urlencode(present, doseq=True).encode(),
            "headers": [
                *(pair for pair in self._headers if pair[0].decode() not in given),
                *((name.encode(), value.encode()) for name, value in given.items()),
                (b"content-length", str(len(body)).encode()),
            ],
            "state": {IS_COUNTED: self._is_counted},
        }
        self._is_counted = True
        return await _Exchange(body).run(self._app, scope)


class _Exchange:
    """A request and its response, as the server's side of ASGI."""

    def __init__(self, body: bytes) -> None:
        self._messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        self._status = 500
        self._headers: dict[str, str] = {}
        self._chunks: list[bytes] = []

    async def run(self, app: Any, scope: Scope) -> Answer:
        await app(scope, self._receive, self._send)
        body = b"".join(self._chunks)
        if self._status >= 400:
            raise ApiError(orjson.loads(body))
        return Answer(self._headers, body)

    async def _receive(self) -> Message:
        if not self._messages:
            await asyncio.Event().wait()  # the client stays until the response is complete
        return self._messages.pop()

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            pairs = message["headers"]
            self._headers = {
                name.decode().lower(): value.decode("latin-1") for name, value in pairs
            }
        elif message["type"] == "http.response.body":
            self._chunks.append(message.get("body", b""))
