"""Stores an uploaded data set: written to a temporary file, then published as a new version.

If anything fails on the way, no file and no row remain. The content is checked by a process of the
worker.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import IntegrityError

from api.http.received_file import UNFINISHED, receive, temporary_file
from api.services.container import Services
from api.services.principal import Principal
from shared import uploaded_datasets
from shared.clock import now
from shared.errors import BadRequest, Conflict, Unavailable
from shared.ids import new_id
from shared.storage import publish
from shared.uploaded_datasets import DatasetRow

#: Uploads of one name at the same time compete for its next version.
MAX_TRIES = 20


def new_row(*, owner: str, name: str, skip_bad: bool, target: str | None) -> DatasetRow:
    """Return the row of a version that is not stored yet: its number and size are still unknown."""
    return DatasetRow(
        id=new_id("ds"),
        owner=owner,
        name=name,
        version=1,
        bytes=0,
        skip_bad=skip_bad,
        target=target,
        path=None,
        state="checking",
        attempts=0,
        content_hash=None,
        report=None,
        created_at=now(),
    )


def check_name_is_free(services: Services, principal: Principal, name: str) -> None:
    """Check that the versions of a name, if there are any, are the caller's own.

    Raises:
        Conflict: the name is taken by somebody else.
    """
    with services.database.read() as connection:
        _check_owner(connection, principal, name)


def _check_owner(connection: sa.Connection, principal: Principal, name: str) -> None:
    if uploaded_datasets.owner_of(connection, name) not in (None, principal.name):
        raise Conflict(f"{name} is a data set of somebody else; use another name.")


async def store_upload(
    services: Services, principal: Principal, request: Request, row: DatasetRow
) -> DatasetRow:
    """Store the body of a request as a new version.

    Raises:
        TooLarge: it exceeds TRAINSHED_LIMIT_UPLOAD_MIB.
        BadRequest: it is empty.
        StorageLimit: the caller stores too much.
        Unavailable: the disk is full.
    """
    check = partial(services.limits.check_upload, services.database, principal)
    path = uploaded_datasets.directory(services.settings.home) / f"{row.id}{UNFINISHED}"
    with temporary_file(path) as temporary:
        max_mib = services.settings.limit_upload_mib
        size, _ = await receive(request, temporary, max_mib=max_mib, check=check)
        if not size:
            raise BadRequest("The body is empty; it must be the file of the data set.")
        row = replace(row, bytes=size)
        stored = await run_in_threadpool(_publish, services, principal, temporary, row)
    services.doorbell.notify()
    return stored


async def register_directory(
    services: Services, principal: Principal, path: Path, row: DatasetRow
) -> DatasetRow:
    """Store a directory of the box as a new version; its files stay where they are."""
    row = replace(row, path=str(path))
    stored = await run_in_threadpool(_publish, services, principal, None, row)
    services.doorbell.notify()
    return stored


def _publish(
    services: Services, principal: Principal, temporary: Path | None, row: DatasetRow
) -> DatasetRow:
    for _ in range(MAX_TRIES):
        try:
            return _publish_next_version(services, principal, temporary, row)
        except IntegrityError:
            continue
    raise Unavailable(f"{MAX_TRIES} other uploads took the next version of {row.name}. Try again.")


def _publish_next_version(
    services: Services, principal: Principal, temporary: Path | None, row: DatasetRow
) -> DatasetRow:
    """Insert the row first, which reserves the version, and publish the file before the commit."""
    final: Path | None = None
    try:
        with services.change(principal, "dataset.upload", row.id) as connection:
            _check_owner(connection, principal, row.name)
            if temporary is not None:
                services.limits.check_storage(connection, principal, new_bytes=row.bytes)
            version = uploaded_datasets.next_version(connection, row.name)
            row = replace(row, version=version)
            uploaded_datasets.add(connection, row)
            if temporary is not None:
                final = uploaded_datasets.file(services.settings.home, row.reference)
                publish(temporary, final)
    except BaseException:
        if final is not None:
            final.unlink(missing_ok=True)
        raise
    return row
