"""ASGI middleware: limits on every request, and security headers on every response."""

import re
from collections import Counter
from collections.abc import Iterable

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.problem import problem

MAX_BODY_BYTES = 1_000_000
MAX_ADDRESS_BYTES = 8_192
MAX_HEADERS = 100
MAX_HEADER_BYTES = 65_536
#: Headers of which a request has one at most: of two, nobody could say which counts.
SINGLE_HEADERS = (
    *("Authorization", "Content-Length", "Content-Type", "Idempotency-Key", "Last-Event-ID"),
    "Range",
)
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


class _BodyTooLargeError(Exception):
    """The body exceeded its limit while it was read."""


class Guard:
    """Refuses requests for another host or beyond the limits, before any route is called."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Iterable[str],
        uploads: Iterable[tuple[str, str, int | None]] = (),
    ) -> None:
        """Wrap an application.

        Args:
            app: The application.
            hosts: The host names of this service.
            uploads: Methods and patterns of paths whose bodies may be larger, with their limits in
                bytes; None where the route limits them itself.
        """
        self.app = app
        self.hosts = frozenset(map(host_name, hosts)) - {""}
        self.uploads = [(method, re.compile(path), limit) for method, path, limit in uploads]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request or pass it on; add headers to the response."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        send = _with_security_headers(send)
        max_bytes = self._max_bytes(scope)
        refusal = self._refusal(scope, max_bytes)
        if refusal is not None:
            status, detail = refusal
            await problem(status, detail, instance=scope["path"])(scope, receive, send)
            return
        await self._pass_on(scope, receive, send, max_bytes)

    def _max_bytes(self, scope: Scope) -> int | None:
        for method, path, limit in self.uploads:
            if scope["method"] == method and path.fullmatch(scope["path"]):
                return limit
        return MAX_BODY_BYTES

    def _refusal(self, scope: Scope, max_bytes: int | None) -> tuple[int, str] | None:
        """Return the status and detail with which the request is refused, if it is."""
        headers = scope["headers"]
        header_bytes = sum(len(name) + len(value) for name, value in headers)
        if len(headers) > MAX_HEADERS or header_bytes > MAX_HEADER_BYTES:
            limit = f"{MAX_HEADERS} headers and {MAX_HEADER_BYTES:,} bytes"
            return 431, f"The headers exceed the limit of {limit}."
        names = Counter(name for name, _ in headers)
        repeated = next((name for name in SINGLE_HEADERS if names[name.lower().encode()] > 1), None)
        if repeated is not None:
            return 400, f"The request has more than one {repeated} header; send it once."
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or host_name(hosts[0].decode("latin-1")) not in self.hosts:
            return 400, (
                "The Host header is not a name of this service. "
                "Set TRAINSHED_ALLOWED_HOSTS to allow further names."
            )
        if len(scope["raw_path"] or b"") + len(scope["query_string"]) > MAX_ADDRESS_BYTES:
            return 414, f"The address exceeds the limit of {MAX_ADDRESS_BYTES:,} bytes."
        for name, value in headers:
            length = int(value) if name == b"content-length" and value.isdigit() else 0
            if max_bytes is not None and length > max_bytes:
                return 413, _too_large(max_bytes)
        return None

    async def _pass_on(
        self, scope: Scope, receive: Receive, send: Send, max_bytes: int | None
    ) -> None:
        received_bytes = 0
        has_response = False

        async def receive_limited() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if max_bytes is not None and received_bytes > max_bytes:
                raise _BodyTooLargeError
            return message

        async def send_and_note(message: Message) -> None:
            nonlocal has_response
            has_response = True
            await send(message)

        try:
            await self.app(scope, receive_limited, send_and_note)
        except _BodyTooLargeError:
            if not has_response:
                path = Request(scope).url.path
                detail = _too_large(max_bytes or MAX_BODY_BYTES)
                await problem(413, detail, instance=path)(scope, receive, send)


def _too_large(max_bytes: int) -> str:
    return f"The body exceeds the limit of {max_bytes:,} bytes."


def host_name(text: str) -> str:
    """Return a host in lower case, without port, brackets and closing dot."""
    text = text.lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    if text.count(":") > 1:
        return text  # an IPv6 address without brackets, as in a setting
    return text.partition(":")[0].removesuffix(".")


def _with_security_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [
                *message["headers"],
                *((name, value) for name, value in SECURITY_HEADERS if name not in present),
            ]
        await send(message)

    return send_with_headers
