"""What every request passes first (right host, bounded body) and what every answer carries."""

from collections.abc import Iterable

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem

MOST_BODY_BYTES = 1_000_000
LONGEST_PATH = 8_192
MOST_HEADERS = 100
MOST_HEADER_BYTES = 65_536
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    ),
)


class _TooLarge(Exception):
    """The body outgrew its bound while it was read."""


class Guard:
    """Pure ASGI, since it stands before every request."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str]) -> None:
        self.app = app
        self.hosts = frozenset(map(host_name, hosts)) - {""}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, pass on, add headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most = None if _is_upload(scope) else MOST_BODY_BYTES
        refusal = self._refuse(scope, most)
        if refusal is not None:
            status, detail = refusal
            await problem(status, detail, instance=scope["path"])(scope, receive, _dressed(send))
            return
        await self._pass_on(scope, receive, send, most)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, most: int | None) -> None:
        seen = 0
        is_answered = False

        async def bounded() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if most is not None and seen > most:
                raise _TooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        try:
            await self.app(scope, bounded, _dressed(noted))
        except _TooLarge:
            if not is_answered:
                await _too_large(scope)(scope, receive, _dressed(send))

    def _refuse(self, scope: Scope, most: int | None) -> tuple[int, str] | None:
        header_bytes = sum(len(name) + len(value) for name, value in scope["headers"])
        if len(scope["headers"]) > MOST_HEADERS or header_bytes > MOST_HEADER_BYTES:
            admitted = f"{MOST_HEADERS} headers of {MOST_HEADER_BYTES} bytes together"
            return 431, f"The request has more than the {admitted} that are admitted."
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or host_name(hosts[0].decode("latin-1")) not in self.hosts:
            return 400, "The Host header names another service; TRAINSHED_ALLOWED_HOSTS adds names."
        if len(scope["raw_path"] or b"") + len(scope["query_string"]) > LONGEST_PATH:
            return 414, f"The address is longer than {LONGEST_PATH} bytes."
        for name, value in scope["headers"]:
            announced = int(value) if name == b"content-length" and value.isdigit() else 0
            if most is not None and announced > most:
                return 413, f"The body has {announced} bytes; {most} are admitted."
        return None


def _is_upload(scope: Scope) -> bool:
    """A file, which bounds itself as it is written to disk."""
    return scope["method"] == "POST" and scope["path"] == "/v1/weights"


def _too_large(scope: Scope) -> ASGIApp:
    detail = f"The body has more than {MOST_BODY_BYTES} bytes, which are admitted."
    return problem(413, detail, instance=Request(scope).url.path)


def host_name(text: str) -> str:
    """A host as it is compared: in small letters, without port, brackets and closing dot."""
    text = text.lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    if text.count(":") > 1:
        return text  # an IPv6 address without brackets, as a setting may have it
    return text.partition(":")[0].removesuffix(".")


def _dressed(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [
                *message["headers"],
                *((name, value) for name, value in HEADERS if name not in present),
            ]
        await send(message)

    return with_headers
