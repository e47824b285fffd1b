"""A file as an answer: whole or in ranges, or 304 to a client that has it (RFC 9110)."""

import re
from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

from api.http.responses import is_known
from shared.errors import RangeNotSatisfiable

MEDIA_TYPE = "application/octet-stream"
MOST_RANGES = 8
RANGE = re.compile(r"([0-9]{0,18})-([0-9]{0,18})")


class _File(FileResponse):
    """Sends what was found to be wanted, however the request's own header puts it."""

    wanted: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [pair for pair in scope["headers"] if pair[0] not in {b"range", b"if-range"}]
        if self.wanted is not None:
            headers.append((b"range", self.wanted.encode()))
        await super().__call__({**scope, "headers": headers}, receive, send)


def file_answer(request: Request, path: Path, *, filename: str, sha256: str) -> Response:
    """The file as an attachment; its digest is its ETag.

    Args:
        request: what was asked.
        path: of the file.
        filename: what the client may call it.
        sha256: of its content.

    Raises:
        RangeNotSatisfiable: none of the ranges asked for lies in the file, or they are too many.
    """
    etag = f'"{sha256}"'
    if is_known(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers={"ETag": etag})
    stat = path.stat()
    answer = _File(
        path,
        media_type=MEDIA_TYPE,
        filename=filename,
        headers={"ETag": etag},
        stat_result=stat,
    )
    had = request.headers.get("if-range")
    is_same = had is None or had in {etag, answer.headers["last-modified"]}
    if is_same and request.method == "GET":  # of a HEAD no ranges are defined
        answer.wanted = wanted(request.headers.get("range"), stat.st_size)
    return answer


def wanted(header: str | None, size: int) -> str | None:
    """The ranges to send, each within the file; None for the whole of it.

    A header that is malformed or counts in another unit is as good as none.

    Args:
        header: the value of `Range`.
        size: of the file, in bytes.

    Raises:
        RangeNotSatisfiable: none of them lies in the file, or they are too many.
    """
    unit, _, listed = (header or "").partition("=")
    parts = [part for part in (one.strip(" \t") for one in listed.split(",")) if part]
    if unit.lower() != "bytes" or not parts:
        return None
    if len(parts) > MOST_RANGES:
        detail = f"The request has {len(parts)} ranges; at most {MOST_RANGES} are sent at once."
        raise RangeNotSatisfiable(detail, bytes=size)
    found: list[str] = []
    for part in parts:
        match = RANGE.fullmatch(part)
        if match is None or part == "-":
            return None
        first, last = match.groups()
        if first and last and int(last) < int(first):
            return None
        start = int(first) if first else max(size - int(last), 0)
        end = min(int(last), size - 1) if first and last else size - 1
        if start <= end:
            found.append(f"{start}-{end}")
    if not found:
        detail = f"None of the ranges asked for lies in the file, which has {size} bytes."
        raise RangeNotSatisfiable(detail, bytes=size)
    return f"bytes={','.join(found)}"
