"""The check of an uploaded data set: its result is a row.

The process may be killed at any moment: the row then still says `checking`, and the next one
starts again. An upload that ends the checker several times is rejected.
"""

from typing import Any

import structlog

from shared import uploaded_datasets
from shared.database import Database
from shared.settings import Settings
from shared.uploaded_datasets import DatasetRow
from worker.data.uploaded import write_facts
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
GONE = "The file is no longer on the box. Upload it again"


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


def _result(row: DatasetRow, settings: Settings) -> dict[str, Any] | list[Fault]:
    """Return the report, or why the upload is rejected."""
    if row.attempts > MAX_ATTEMPTS:
        return [Fault(file="", detail=ENDED)]
    path = uploaded_datasets.file(settings.home, row.reference)
    try:
        upload = open_upload(path, target=row.target)
        if row.target is not None and not isinstance(upload, TableUpload):
            upload.close()
            return [Fault(file="", detail=NO_TABLE)]
        try:
            return check(upload, skip_bad=row.skip_bad, progress=lambda _: None).as_json()
        finally:
            upload.close()
    except UploadRejected as error:
        return error.faults
    except MemoryError:
        return [Fault(file="", detail=TOO_LARGE)]
    except FileNotFoundError:
        return [Fault(file="", detail=GONE)]


def _record(
    row: DatasetRow,
    result: dict[str, Any] | list[Fault],
    settings: Settings,
    database: Database,
) -> None:
    if isinstance(result, list):
        state, content_hash, report = "rejected", None, {"rejected": result}
    else:
        state, content_hash, report = "ready", result["content_hash"], result
        write_facts(settings.home, row.reference, report)
    with database.write() as connection:
        is_recorded = uploaded_datasets.end_check(connection, row.id, state, report, content_hash)
    if not is_recorded:  # deleted meanwhile
        uploaded_datasets.facts_file(settings.home, row.reference).unlink(missing_ok=True)
    log.info("data set checked", dataset=row.reference, state=state)
