"""The log of an attempt: what the training process printed."""

import os
import re
from typing import Annotated

from fastapi import APIRouter, Query, Response, Security
from fastapi.responses import PlainTextResponse

from api.deps import JobId, ServicesDep, right
from api.jobs.lookup import read_job
from api.services.container import Services
from shared.errors import NotFound
from shared.jobs.analyses import is_analysis
from shared.jobs.rows import JobRow
from shared.regular_files import NotRegular, open_regular

router = APIRouter()

MAX_LOG_BYTES = 1_000_000
#: Everything that could control a terminal, except for tabs and line feeds, and the invisible
#: characters that reorder, hide or break lines.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)


Attempt = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="By default the newest attempt")
]
Tail = Annotated[int, Query(ge=1, le=MAX_LOG_BYTES, description="In bytes")]
DEFAULT_TAIL = 65_536


@router.get(
    "/logs",
    dependencies=[Security(right("jobs:read"))],
    summary="Get the log of a job",
    response_class=PlainTextResponse,
)
def get_log(
    job_id: JobId, services: ServicesDep, attempt: Attempt = None, tail: Tail = DEFAULT_TAIL
) -> Response:
    """Return the end of an attempt's log, with control characters escaped."""
    return log_response(services, read_job(services, job_id), attempt, tail)


def log_response(services: Services, job: JobRow, attempt: int | None, tail: int) -> Response:
    """Return the end of the log of an attempt of a job or an analysis.

    Args:
        services: the parts of this service.
        job: its row among the jobs.
        attempt: its number; None for the newest.
        tail: at most so many bytes.

    Raises:
        NotFound: there is no such attempt.
    """
    number = job.attempt if attempt is None else attempt
    if number > job.attempt:
        what = "analysis" if is_analysis(job.id) else "job"
        raise NotFound(f"The {what} has no attempt {number}; it has {job.attempt} so far.")
    storage = services.storage
    path = storage.log(job.id, number)
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
