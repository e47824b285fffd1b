"""The log of an attempt: what the training process printed."""

import os
import re
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import PlainTextResponse

from api.deps import JobId, ServicesDep
from api.jobs.lookup import read_job
from shared.errors import NotFound
from shared.regular_files import NotRegular, open_regular

router = APIRouter()

MAX_LOG_BYTES = 1_000_000
#: Everything that could control a terminal, except for tabs and line feeds, and the invisible
#: characters that reorder, hide or break lines.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)


@router.get("/logs", summary="Get the log of a job", response_class=PlainTextResponse)
def get_log(
    job_id: JobId,
    services: ServicesDep,
    attempt: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="By default the newest attempt")
    ] = None,
    tail: Annotated[int, Query(ge=1, le=MAX_LOG_BYTES, description="In bytes")] = 65_536,
) -> Response:
    """Return the end of an attempt's log, with control characters escaped."""
    job = read_job(services, job_id)
    number = job.attempt if attempt is None else attempt
    if number > job.attempt:
        raise NotFound(f"The job has no attempt {number}; it has {job.attempt} so far.")
    storage = services.storage
    path = storage.log(job_id, number)
    try:
        with open_regular(storage.root, storage.relative(path)) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - tail))
            text = file.read(tail).decode("utf-8", "replace")
    except FileNotFoundError:
        text = ""
    except NotRegular as error:
        raise NotFound("The log is no regular file, so it is not shown.") from error
    return PlainTextResponse(_CONTROL.sub(_escape, text))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
