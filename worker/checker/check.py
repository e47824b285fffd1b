"""The check of an uploaded data set: its result is a row.

The process may be killed at any moment: the row then still says `checking`, and the next one
starts again. An upload that ends the checker several times is rejected.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from shared import uploaded_datasets
from shared.database import Database
from shared.settings import Settings
from shared.uploaded_datasets import DatasetRow
from worker.data.uploaded import state_of, write_facts
from worker.data.uploads import Fault, TableUpload, UploadRejected, check, open_upload
from worker.locks import check_lock

log = structlog.get_logger()

MAX_ATTEMPTS = 3
ENDED = (
    f"The check was stopped {MAX_ATTEMPTS} times without a result: the upload needs too much time "
    "or memory, or the service was restarted. Upload a smaller data set, or try again"
)
TOO_LARGE = "The check needs more memory than it is allowed. Upload smaller pictures"
NO_TABLE = "The upload has images, but `target` is for tables; leave it out"
GONE = "The file or directory is no longer on the box, or leads through a link"
CHANGED = "Files have changed while they were read. Register the directory again"


@dataclass(frozen=True)
class Result:
    """What a check finds, and the state of the file or directory that it read."""

    report: dict[str, Any]
    state: dict[str, Any]


def check_dataset(dataset_id: str, settings: Settings, database: Database) -> None:
    """Check a data set unless another process does, and record whether it is ready."""
    lock = check_lock(settings, dataset_id)
    if not lock.acquire():
        return
    try:
        with database.write() as connection:
            row = uploaded_datasets.begin_check(connection, dataset_id)
        if row is not None:
            _record(row, _result(row, settings), settings, database)
    finally:
        lock.path.unlink(missing_ok=True)
        lock.release()


def _result(row: DatasetRow, settings: Settings) -> Result | list[Fault]:
    """Return what the check finds, or why the upload is rejected."""
    try:
        return _check(row, uploaded_datasets.source(settings.home, row))
    except UploadRejected as error:
        return error.faults
    except MemoryError:
        detail = TOO_LARGE
    except FileNotFoundError:
        detail = GONE
    except OSError as error:
        detail = f"It cannot be read: {error.strerror}"
    return [Fault(file="", detail=detail)]


def _check(row: DatasetRow, path: Path) -> Result:
    if row.attempts > MAX_ATTEMPTS:
        raise UploadRejected([Fault(file="", detail=ENDED)])
    state = state_of(path)
    upload = open_upload(path, target=row.target)
    try:
        if row.target is not None and not isinstance(upload, TableUpload):
            raise UploadRejected([Fault(file="", detail=NO_TABLE)])
        report = check(upload, skip_bad=row.skip_bad, progress=lambda _: None).as_json()
    finally:
        upload.close()
    if state_of(path) != state:
        raise UploadRejected([Fault(file="", detail=CHANGED)])
    return Result(report, state)


def _record(
    row: DatasetRow,
    result: Result | list[Fault],
    settings: Settings,
    database: Database,
) -> None:
    if isinstance(result, list):
        state, content_hash, report = "rejected", None, {"rejected": result}
    else:
        report = result.report
        state, content_hash = "ready", report["content_hash"]
        write_facts(settings.home, row.reference, report, result.state)
    with database.write() as connection:
        is_recorded = uploaded_datasets.end_check(connection, row.id, state, report, content_hash)
    if not is_recorded:  # deleted meanwhile
        uploaded_datasets.facts_file(settings.home, row.reference).unlink(missing_ok=True)
    log.info("data set checked", dataset=row.reference, state=state)
