"""Downloads: whole, in ranges, or 304 for a client that has the file (RFC 9110)."""

import re
from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

from api.http.responses import matches_etag
from api.http.stored_file import check_content
from shared.errors import RangeNotSatisfiable

MEDIA_TYPE = "application/octet-stream"
MAX_RANGES = 8
_RANGE = re.compile(r"([0-9]{0,18})-([0-9]{0,18})")


class _RangedFile(FileResponse):
    """Sends the ranges that `satisfiable_ranges` allows, instead of the request's own header."""

    ranges: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [pair for pair in scope["headers"] if pair[0] not in {b"range", b"if-range"}]
        if self.ranges is not None:
            headers.append((b"range", self.ranges.encode()))
        await super().__call__({**scope, "headers": headers}, receive, send)


def file_response(
    request: Request, path: Path, *, filename: str, size: int, sha256: str
) -> Response:
    """Return the file as an attachment; its digest is its ETag.

    Args:
        request: The request, with its conditional headers.
        path: The path of the file.
        filename: The name under which the client may save it.
        size: The size in bytes with which it was written.
        sha256: The digest with which it was written.

    Raises:
        NotFound: The file no longer exists.
        DamagedFile: Its content is not what was written.
        RangeNotSatisfiable: None of the requested ranges lies in the file, or they are too many.
    """
    etag = f'"{sha256}"'
    if matches_etag(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers={"ETag": etag})
    stat = check_content(path, filename=filename, size=size, sha256=sha256)
    response = _RangedFile(
        path,
        media_type=MEDIA_TYPE,
        filename=filename,
        headers={"ETag": etag},
        stat_result=stat,
    )
    if_range = request.headers.get("if-range")
    is_unchanged = if_range is None or if_range in {etag, response.headers["last-modified"]}
    if is_unchanged and request.method == "GET":  # RFC 9110 defines no ranges for HEAD
        response.ranges = satisfiable_ranges(request.headers.get("range"), stat.st_size)
    return response


def satisfiable_ranges(header: str | None, size: int) -> str | None:
    """Return the ranges to send, clipped to the file, or None to send the whole file.

    A header that is malformed or uses another unit than bytes is ignored.

    Args:
        header: The value of `Range`.
        size: The size of the file in bytes.

    Raises:
        RangeNotSatisfiable: None of the ranges lies in the file, or they are too many.
    """
    unit, _, listed = (header or "").partition("=")
    parts = [part for part in (entry.strip(" \t") for entry in listed.split(",")) if part]
    if unit.lower() != "bytes" or not parts:
        return None
    if len(parts) > MAX_RANGES:
        detail = f"The request has {len(parts)} ranges; at most {MAX_RANGES} are allowed."
        raise RangeNotSatisfiable(detail, bytes=size)
    ranges: list[str] = []
    for part in parts:
        match = _RANGE.fullmatch(part)
        if match is None or part == "-":
            return None
        first, last = match.groups()
        if first and last and int(last) < int(first):
            return None
        start = int(first) if first else max(size - int(last), 0)
        end = min(int(last), size - 1) if first and last else size - 1
        if start <= end:
            ranges.append(f"{start}-{end}")
    if not ranges:
        detail = f"None of the requested ranges lies in the file, which has {size} bytes."
        raise RangeNotSatisfiable(detail, bytes=size)
    return f"bytes={','.join(ranges)}"
